/** Composition of prescription tokens: keys in their file, ids from the database. MISSION M10; docs/pharmacy.md */
import { join } from 'node:path';
import { openPrescriptionKeys } from './pki/prescription-keys.ts';
import { KeyFileError } from './pki/secret-file.ts';
import type { Cipher } from './ports/cipher.ts';
import type { Clock } from './ports/clock.ts';
import type { PrescriptionKeys } from './ports/prescription-keys.ts';
import type { PrescriptionTokens } from './ports/prescription-tokens.ts';
import type { Pools } from './postgres/pools.ts';
import { StartError } from './postgres/start-error.ts';
import { createTokenIds } from './postgres/token-ids.ts';
import { createPrescriptionTokens } from './workflow/dispensing/tokens.ts';

export interface PrescriptionTokenParts {
  readonly dataDir: string;
  readonly pools: Pick<Pools, 'writes'>;
  readonly cipher: Cipher;
  /** How clients reach the server, without a trailing slash. */
  readonly url: string;
  readonly now: Clock;
}

export const prescriptionKeyFile = (dataDir: string): string => join(dataDir, 'keys', 'prescription.key');

export function openPrescriptionTokens({ dataDir, pools, cipher, url, now }: PrescriptionTokenParts): {
  readonly tokens: PrescriptionTokens;
  readonly keys: PrescriptionKeys;
} {
  try {
    const keys = openPrescriptionKeys(prescriptionKeyFile(dataDir), now);
    const nextTokenId = createTokenIds(pools);
    return { keys, tokens: createPrescriptionTokens({ keys, cipher, nextTokenId, issuer: url }) };
  } catch (error) {
    throw error instanceof KeyFileError ? new StartError('folder', error.message, error) : error;
  }
}
