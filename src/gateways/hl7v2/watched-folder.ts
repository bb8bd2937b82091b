/**
 * Files of messages: taken from `in` once they no longer grow, worked in `work`, and moved with their answers to `done` or
 * `failed`. A crash leaves the file in `work`, and the next start works it again: what was applied is answered as before.
 * docs/hl7v2.md "Files"
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../ports/log.ts';
import { isBatch, splitBatch } from '../../standards/hl7v2/batch.ts';
import type { Received } from '../receive.ts';
import { refuse, refuseBatch, wrapAnswers } from './answer-frame.ts';
import { readAnswer } from './feed/read-answer.ts';

export interface WatchedFolderOptions {
  readonly folder: string;
  readonly receive: (raw: Buffer) => Promise<Received>;
  readonly fileBytesMax?: number;
  /** Files that one turn takes at most. */
  readonly filesMax?: number;
  readonly log: Log;
}

export interface WatchedFolder {
  /** Works what lies there. A file is taken when it is the same in two turns. Resolves to how many were ended. */
  turn(signal?: AbortSignal): Promise<number>;
}

const FILE_BYTES_MAX = 32 * 1024 * 1024;
const FILES_MAX = 100;
const PARTS = ['in', 'work', 'done', 'failed'] as const;
/** Names under which programs write what is not whole yet, and our own answers. */
const UNFINISHED = /^\.|\.(?:tmp|part|partial|filepart|writing|ack)$|~$/i;

/** Rejects when the folder cannot be made or used. */
export async function openWatchedFolder(options: WatchedFolderOptions): Promise<WatchedFolder> {
  const { folder, receive, fileBytesMax = FILE_BYTES_MAX, filesMax = FILES_MAX, log } = options;
  const at = (part: (typeof PARTS)[number], name = ''): string => join(folder, part, name);
  for (const part of PARTS) await mkdir(at(part), { recursive: true, mode: 0o700 });
  let seen = new Map<string, string>();

  /** Those of `in` that are as they were in the turn before, oldest name first. */
  async function settled(): Promise<readonly string[]> {
    const now = new Map<string, string>();
    for (const name of (await readdir(at('in'))).toSorted()) {
      if (UNFINISHED.test(name)) continue;
      const found = await lstat(at('in', name)).catch(() => undefined);
      if (found?.isFile()) now.set(name, `${found.ino} ${found.size} ${found.mtimeMs}`);
    }
    const before = seen;
    seen = now;
    return [...now].filter(([name, state]) => before.get(name) === state).map(([name]) => name);
  }

  /** To a name of its own, so that no other file of that name can take its place. Undefined: somebody else has it. */
  async function claim(name: string): Promise<string | undefined> {
    const claimed = `${name}-${randomBytes(4).toString('hex')}`;
    return rename(at('in', name), at('work', claimed)).then(
      () => claimed,
      () => undefined,
    );
  }

  /** True when it is done with; false when it is to be worked again. */
  async function work(name: string, signal: AbortSignal | undefined): Promise<boolean> {
    const bytes = await readFile(at('work', name), fileBytesMax);
    if (bytes === 'gone') return true;
    if (bytes === 'large') return end(name, 'failed', refuse(`The file is longer than ${fileBytesMax} bytes`), 0);
    if (!isBatch(bytes)) {
      const received = await receive(bytes);
      if (received.verdict === 'unavailable') return false;
      return end(name, isGood(received) ? 'done' : 'failed', received.answer, 1);
    }
    const { value: batch, issues } = splitBatch(bytes);
    const isBroken = batch === undefined || batch.messages.length === 0 || issues.some((i) => i.severity === 'error');
    if (isBroken) return end(name, 'failed', refuseBatch(bytes, issues), 0);
    const answers: Buffer[] = [];
    let good = true;
    for (const message of batch.messages) {
      if (signal?.aborted) return false;
      const received = await receive(message);
      if (received.verdict === 'unavailable') return false;
      good &&= isGood(received);
      answers.push(received.answer);
    }
    return end(name, good ? 'done' : 'failed', wrapAnswers(batch, answers, issues), answers.length);
  }

  /** The answers first: a file that is done has them. */
  async function end(name: string, part: 'done' | 'failed', answers: Buffer, count: number): Promise<boolean> {
    const temporary = at(part, `${name}.ack.tmp`);
    const handle = await open(temporary, 'w', 0o600);
    try {
      await handle.writeFile(answers);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, at(part, `${name}.ack`));
    await rename(at('work', name), at(part, name));
    log[part === 'done' ? 'info' : 'warn'](`HL7 v2: a file was worked: ${part}`, { messages: count });
    return true;
  }

  return {
    async turn(signal) {
      const left = (await readdir(at('work'))).toSorted();
      let ended = 0;
      for (const name of left) if (await work(name, signal)) ended++;
      for (const name of (await settled()).slice(0, filesMax)) {
        if (signal?.aborted) break;
        const claimed = await claim(name);
        if (claimed !== undefined && (await work(claimed, signal))) ended++;
      }
      return ended;
    },
  };
}

const isGood = ({ answer }: Received): boolean => readAnswer(answer)?.code === 'AA';

/** Never through a link, which could lead anywhere. */
async function readFile(path: string, bytesMax: number): Promise<Buffer | 'gone' | 'large'> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined);
  if (handle === undefined) return 'gone';
  try {
    return (await handle.stat()).size > bytesMax ? 'large' : await handle.readFile();
  } finally {
    await handle.close();
  }
}
