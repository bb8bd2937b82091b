/** Whether the key at hand is the one this database's messages were sealed with. SECURITY KS-10 */
import type { Cipher } from '../ports/cipher.ts';
import type { Pipeline } from './pools.ts';
import { StartError } from './start-error.ts';

const NAME = 'message-key-check';
const PLAIN = Buffer.from('mortar message log');

/** Leaves a sealed word in the database at the first start, and opens it at every other. Throws `StartError`. */
export async function checkMessageKey(writes: Pipeline, cipher: Cipher, keyFile: string): Promise<void> {
  await writes.query({
    text: 'insert into mortar.meta (name, value) values ($1, $2) on conflict do nothing',
    values: [NAME, cipher.seal(PLAIN, NAME).toString('base64')],
  });
  const [row] = await writes.query({ text: 'select value from mortar.meta where name = $1', values: [NAME] });
  try {
    if (cipher.open(Buffer.from(row?.[0] as string, 'base64'), NAME).equals(PLAIN)) return;
  } catch (cause) {
    throw new StartError(
      'unsuitable',
      `the key file ${keyFile} is not the one that this database's messages were encrypted with: put the right one ` +
        'in its place (MESSAGE_KEY_FILE), or add its line to the file',
      cause,
    );
  }
}
