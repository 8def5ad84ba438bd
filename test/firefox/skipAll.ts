/** Set-up of a machine without Firefox: every test is counted as skipped, with the reason. */
import { beforeEach, inject } from "vitest";

beforeEach((context) => context.skip(inject("skipReason")));
