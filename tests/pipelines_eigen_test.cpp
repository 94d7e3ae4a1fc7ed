// SPDX-License-Identifier: Apache-2.0
// Pipelines on Eigen's Tensor module: diffusers' recorded calls.
#include "apriori/device/eigen/device.hpp"
#include "eclipse_cases.hpp"

using namespace pipeline_testing;

TEST(PipelinesEigen, UnclipGivesDiffusersEmbeddings) { check_unclip<apriori::eigen>(); }
TEST(PipelinesEigen, EclipseGivesItsEmbeddings) { check_eclipse<apriori::eigen>(); }
TEST(PipelinesEigen, KandinskyGivesDiffusersEmbeddings) { check_kandinsky<apriori::eigen>(); }
