/** Settings: What is asked at a pharmacy's counter beside the token. docs/pharmacy.md */
import { integer, oneOf } from '../config-parsers.ts';
import { MIB, type Setting } from './setting.ts';

const KINDS = ['high_value', 'controlled', 'high_risk'] as const;
const KINDS_ALLOWED = `\`none\`, \`all\`, or some of ${KINDS.map((kind) => `\`${kind}\``).join(', ')} with commas between`;

/** `all`: whatever is dispensed; empty: nothing is. */
export type KindsAsked = ReadonlySet<(typeof KINDS)[number] | 'all'>;

/** Undefined for what is no list of kinds, or names one twice. */
export function parseKinds(text: string): KindsAsked | undefined {
  if (text === 'none') return new Set();
  if (text === 'all') return new Set(['all'] as const);
  const named = text.split(',').map((one) => one.trim());
  const kinds = KINDS.filter((kind) => named.includes(kind));
  return kinds.length === named.length ? new Set(kinds) : undefined;
}

/** A sum of money of one currency, ISO 4217. */
export function parseMoney(text: string): { readonly amount: number; readonly currency: string } | undefined {
  const [, amount, currency = ''] = /^(\d{1,9}(?:\.\d{1,4})?) ([A-Z]{3})$/.exec(text) ?? [];
  return amount === undefined || Number(amount) === 0 ? undefined : { amount: Number(amount), currency };
}

export const DISPENSING = {
  collectionCodeFor: {
    env: 'COLLECTION_CODE_FOR',
    fallback: 'none',
    allowed: KINDS_ALLOWED,
    about:
      'Prescriptions that are handed over against a code which the patient gets by text message ([pharmacy](pharmacy.md#a-code-by-text-message)).',
    parse: parseKinds,
  },
  highValueFrom: {
    env: 'HIGH_VALUE_FROM',
    fallbackAbout: 'none: no medicine is of high value',
    allowed: 'an amount and a currency, such as `100 GBP`',
    about: 'Medicines that cost so much or more by the catalogue are of high value, as they are approved.',
    parse: parseMoney,
  },
  collectionCodeWaiver: {
    env: 'COLLECTION_CODE_WAIVER',
    fallback: 'allowed',
    ...oneOf('allowed', 'refused'),
    about: 'Whether a pharmacist may hand over without that code, with a reason, to somebody without a telephone.',
  },
  dispensingPhoto: {
    env: 'DISPENSING_PHOTO',
    fallback: 'off',
    ...oneOf('off', 'optional', 'required'),
    about: 'Whether a photo is kept of what is handed over ([pharmacy](pharmacy.md#a-photo-at-dispensing)).',
  },
  dispensingPhotoFor: {
    env: 'DISPENSING_PHOTO_FOR',
    fallback: 'all',
    allowed: KINDS_ALLOWED,
    about: 'For which prescriptions DISPENSING_PHOTO=required asks for one; for others it is optional.',
    parse: parseKinds,
  },
  dispensingPhotoBytes: {
    env: 'DISPENSING_PHOTO_BYTES',
    fallback: String(2 * MIB),
    ...integer(1000, 10 * MIB),
    about: 'Bytes of a photo at most.',
  },
} as const satisfies Record<string, Setting<unknown>>;
