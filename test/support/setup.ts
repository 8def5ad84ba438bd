/** Loaded before every test file: the matchers. */
import "./matchers.ts";
