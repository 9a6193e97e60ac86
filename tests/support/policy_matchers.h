/// Where this project's own tests find the matchers. Programs that link the library include
/// <testing/policy_matchers.h>.
#pragma once

#include <tests/support/testing/policy_matchers.h>
