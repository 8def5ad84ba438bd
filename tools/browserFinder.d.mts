export interface Machine {
  readonly platform: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  isExecutable(path: string): boolean;
  list(folder: string): string[];
}
export interface FoundBrowser {
  readonly path: string;
  readonly source: string;
}
export const BROWSER_VARIABLES: readonly string[];
export const FIREFOX_VARIABLES: readonly string[];
export function thisMachine(): Machine;
export function findBrowsers(machine?: Machine): FoundBrowser[];
export function findFirefoxes(machine?: Machine): FoundBrowser[];
export function brokenChoice(
  machine?: Machine,
  variables?: readonly string[],
): { readonly variable: string; readonly path: string } | undefined;
export function vulkanDriverBeside(browserPath: string): string | undefined;
