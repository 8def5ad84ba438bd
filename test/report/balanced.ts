/** Whether markup is whole. */
import { expect } from "vitest";

/** Fails when a tag is not closed, or closed by another; void elements of HTML aside. */
export function expectBalanced(text: string): void {
  const open: string[] = [];
  const body = text.replace(/<(style|script)>[\s\S]*?<\/\1>/g, "");
  for (const [, end, name, selfClosing] of body.matchAll(/<(\/?)([a-zA-Z][\w]*)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (["meta", "input"].includes(name!)) continue;
    if (end) expect(name).toBe(open.pop());
    else if (!selfClosing) open.push(name!);
  }
  expect(open).toEqual([]);
}

/** Fails when two elements have one id: a clip path would cut another panel's curves. */
export function expectUniqueIds(text: string): void {
  const ids = [...text.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id);
  expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  for (const [, id] of text.matchAll(/url\(#([^)]*)\)/g)) expect(ids).toContain(id);
}
