/** What the tour shows: chapters, requests, and the lines of answers that tell something. */
import type { Reply } from './tour-wire.ts';

export function segments(message: Buffer): string[] {
  const lines = message.toString().split('\r');
  return lines.filter((segment) => segment !== '').map((segment) => short(segment, 110));
}

/** The first line that fits each pattern. */
export function excerpt(text: string, patterns: readonly RegExp[]): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  return patterns.flatMap((pattern) => lines.find((line) => pattern.test(line)) ?? []).map((line) => short(line, 110));
}

export function status(reply: Reply, good: string): string {
  return reply.status < 300 ? `${reply.status} ${good}` : `${reply.status} ${short(reply.text, 200)}`;
}

export function short(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max - 1)}…` : text;
}

export function chapter(title: string): void {
  print(`\n=== ${title}\n`);
}
export function request(what: string, about = ''): void {
  print(`\n→ ${what}${about === '' ? '' : `   ${about}`}\n`);
}
export function shown(...lines: readonly string[]): void {
  for (const line of lines) print(`    ${line}\n`);
}
export function answer(...lines: readonly string[]): void {
  for (const line of lines) print(`  ← ${line}\n`);
}
export function print(text: string): void {
  process.stdout.write(text);
}
