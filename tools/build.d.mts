export interface BuildOptions {
  readonly outDir?: string;
  readonly types?: boolean;
  readonly experiment?: string;
  readonly digest?: string;
}
export function inputDigest(more?: readonly string[]): string;
export function isFresh(outDir?: string, digest?: string): boolean;
export function build(options?: BuildOptions): Promise<void>;
