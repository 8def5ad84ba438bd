export function kernelFiles(root: string): string[];
export function staleDeclarations(root: string): { file: string; text: string | undefined }[];
