/** Whether a key file is the one that this database was written with. SECURITY KS-10 */
import type { Cipher } from '../ports/cipher.ts';
import type { Pipeline } from './pools.ts';
import { StartError } from './start-error.ts';

/** What is sealed once, and which file's keys seal it. */
interface KeyUse {
  readonly name: string;
  readonly plain: string;
  /** Of the message: what was encrypted, and how to name another file. */
  readonly what: string;
  readonly where: string;
}

const USES = {
  messages: {
    name: 'message-key-check',
    plain: 'mortar message log',
    what: 'messages were encrypted',
    where: ' (MESSAGE_KEY_FILE)',
  },
  audit: { name: 'audit-key-check', plain: 'mortar audit trail', what: 'audit trail was written', where: '' },
} as const satisfies Record<string, KeyUse>;

/**
 * Leaves a sealed word in the database at the first start, and opens it at every other: with the keys of another file old
 * messages could not be read, and each process would find the other's audit entries forged. Throws `StartError`.
 */
export async function checkKey(writes: Pipeline, use: keyof typeof USES, cipher: Cipher, file: string): Promise<void> {
  const { name, plain, what, where } = USES[use];
  await writes.query({
    text: 'insert into mortar.meta (name, value) values ($1, $2) on conflict do nothing',
    values: [name, cipher.seal(Buffer.from(plain), name).toString('base64')],
  });
  const [row] = await writes.query({ text: 'select value from mortar.meta where name = $1', values: [name] });
  try {
    if (cipher.open(Buffer.from(row?.[0] as string, 'base64'), name).equals(Buffer.from(plain))) return;
  } catch (cause) {
    throw new StartError(
      'unsuitable',
      `the key file ${file} is not the one that this database's ${what} with: put the right one ` +
        `in its place${where}, or add its line${use === 'audit' ? 's' : ''} to the file`,
      cause,
    );
  }
}
