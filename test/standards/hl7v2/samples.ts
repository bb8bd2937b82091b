/** Messages for tests: ours, and the published ones when PUBLISHED_SAMPLES_DIR names a folder with hl7v2/messages in it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isBatch, splitBatch } from '../../../src/standards/hl7v2/batch.ts';
import type { Message } from '../../../src/standards/hl7v2/message.ts';
import { parseMessage } from '../../../src/standards/hl7v2/parse.ts';

const SAMPLES = process.env['PUBLISHED_SAMPLES_DIR'];

/** The suite's only line where the published messages are not at hand. */
export const NEEDS_SAMPLES = 'need PUBLISHED_SAMPLES_DIR: a folder with hl7v2/messages in it';

export const publishedFolder: string | undefined = SAMPLES === undefined ? undefined : join(SAMPLES, 'hl7v2/messages');

export interface Sample {
  readonly name: string;
  readonly bytes: Buffer;
}

/** All published files with this ending; none without the folder. */
export function publishedFiles(ending: string): readonly Sample[] {
  const folder = publishedFolder;
  if (folder === undefined) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .map((name) => ({ name: name.slice(0, -ending.length), bytes: readFileSync(join(folder, name)) }));
}

/** All published messages, batches cut into theirs. */
export function publishedMessages(): readonly Sample[] {
  return publishedFiles('.hl7').flatMap(({ name, bytes }) => {
    if (!isBatch(bytes)) return [{ name, bytes }];
    return (splitBatch(bytes).value?.messages ?? []).map((part, index) => ({
      name: `${name} message ${index + 1}`,
      bytes: Buffer.from(part),
    }));
  });
}

/** One of our own messages in fixtures/hl7v2. */
export const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../../fixtures/hl7v2/${name}.hl7`, import.meta.url));

/** A message of segments that has to be readable. */
export function messageOf(...segments: readonly string[]): Message {
  const { value, issues } = parseMessage(Buffer.from(segments.map((text) => `${text}\r`).join('')));
  if (value === undefined) throw new Error(JSON.stringify(issues));
  return value;
}

/** A header of version 2.4; `kind` as in MSH-9. */
export const header = (kind: string, version = '2.4'): string =>
  `MSH|^~\\&|PAS|RXX|GATEWAY|RXX01|20260302101500||${kind}|MSG-1|P|${version}`;
