/** A security key in software: it verifies its user, and signs what a browser hands it. W3C WebAuthn Level 3, section 6. */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { NewSecurityKey } from '../../src/ports/people.ts';

export interface SoftKey {
  /** What a registration of it leaves with us. */
  readonly registered: NewSecurityKey;
  /** A browser's answer, as the page sends it. `isVerified`: whether the key looked who holds it. */
  answer(asked: { readonly challenge: string; readonly userId: string; readonly isVerified?: boolean }): string;
}

const COSE_ES256 = Buffer.from('a5010203262001215820', 'hex');
const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;

export function createSoftKey(origin: string): SoftKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const id = randomBytes(16).toString('base64url');
  const part = (text: string): Buffer => Buffer.from(text, 'base64url');
  let counter = 0;
  return {
    registered: {
      id,
      name: 'Soft key',
      publicKey: Buffer.concat([COSE_ES256, part(x), Buffer.from('225820', 'hex'), part(y)]),
      counter: 0,
      isBackedUp: false,
      deviceType: 'singleDevice',
      transports: ['internal'],
    },
    answer({ challenge, userId, isVerified = true }) {
      counter += 1;
      const count = Buffer.alloc(4);
      count.writeUInt32BE(counter);
      const flags = USER_PRESENT | (isVerified ? USER_VERIFIED : 0);
      const rpIdHash = createHash('sha256').update(new URL(origin).hostname).digest();
      const data = Buffer.concat([rpIdHash, Buffer.from([flags]), count]);
      const client = Buffer.from(JSON.stringify({ type: 'webauthn.get', challenge, origin, crossOrigin: false }));
      const signed = Buffer.concat([data, createHash('sha256').update(client).digest()]);
      return JSON.stringify({
        id,
        rawId: id,
        type: 'public-key',
        clientExtensionResults: {},
        response: {
          clientDataJSON: client.toString('base64url'),
          authenticatorData: data.toString('base64url'),
          signature: sign('sha256', signed, privateKey).toString('base64url'),
          userHandle: Buffer.from(userId).toString('base64url'),
        },
      });
    },
  };
}
