/** PEM. RFC 7468 */
import { DerFault } from './der.ts';

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----\s([A-Za-z0-9+/=\s]*)-----END \1-----/g;
const TEXT_MAX = 8 * 1024 * 1024;

/** The DER of every block of that label, in order. */
export function readPem(text: string, label: string): readonly Buffer[] {
  if (text.length > TEXT_MAX) throw new DerFault('the PEM text is too long');
  return [...text.matchAll(BLOCK)].flatMap(([, found, base64 = '']) =>
    found === label ? [Buffer.from(base64, 'base64')] : [],
  );
}

export const formatPem = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`;
