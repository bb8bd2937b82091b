/** The archive of controlled-substance prescriptions: `mortar.epcs_record`. 21 CFR 1311.210, .215; docs/ncpdp.md */
import { createHash } from 'node:crypto';
import type { Cipher } from '../ports/cipher.ts';
import type { ArchiveKey, EpcsArchive, EpcsRecord, SignaturePresence, SignatureVerdict } from '../ports/epcs.ts';
import { badValue } from '../standards/fhir/outcome.ts';
import { translated } from './database-error.ts';
import type { Pipeline, Row } from './pools.ts';

export interface EpcsArchiveOptions {
  readonly reads: Pipeline;
  readonly writes: Pipeline;
  readonly cipher: Cipher;
  readonly key: ArchiveKey;
}

const rawContext = (id: string): string => `epcs ${id} raw`;
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const DAY_MS = 86_400_000;
/** Records of a day that one report looks at. */
const REPORT_MAX = 100_000;
const LISTED_MAX = 1000;

export function createEpcsArchive({ reads, writes, cipher, key }: EpcsArchiveOptions): EpcsArchive {
  return {
    keep: (record) =>
      translated(async () => {
        const sha256 = createHash('sha256').update(record.raw).digest();
        await writes.query({
          name: 'epcs-keep',
          text: `insert into mortar.epcs_record (id, sender, message_id, kind, schedule, presence, verdict, certificate,
  sha256, raw, key_id, signature, received_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
on conflict do nothing`,
          values: [
            record.id,
            record.sender ?? null,
            record.messageId ?? null,
            record.kind,
            record.schedule,
            record.presence,
            record.verdict,
            record.certificate ?? null,
            sha256,
            cipher.seal(record.raw, rawContext(record.id)),
            key.keyId,
            key.sign(statementOf(record, sha256)),
            new Date(record.receivedAt),
          ],
        });
      }),

    report: (day) =>
      translated(async () => {
        const from = DAY.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
        if (Number.isNaN(from)) throw badValue('day is a day like 2026-01-31', 'day');
        const rows = await reads.query({
          name: 'epcs-day',
          // epcs_record_day
          text: `select id, sender, message_id, kind, schedule, presence, verdict, sha256, raw, key_id, signature,
  (extract(epoch from received_at) * 1000)::float8
from mortar.epcs_record where received_at >= $1 and received_at < $2 order by received_at, id limit $3`,
          values: [new Date(from), new Date(from + DAY_MS), REPORT_MAX],
        });
        const records = rows.map(toKept);
        const damaged = records.filter((one) => !isWhole(one, cipher, key)).map(({ record }) => record.id);
        const incidents = records
          .filter(({ record }) => record.verdict === 'failed' || record.presence === 'absent')
          .map(({ record }) => record.id);
        return {
          day,
          counts: countsOf(records),
          damaged: damaged.slice(0, LISTED_MAX),
          incidents: incidents.slice(0, LISTED_MAX),
        };
      }),
  };
}

type Facts = Omit<EpcsRecord, 'raw' | 'certificate'>;

/** What our signature covers: all that the row says, and the hash of the bytes. */
const statementOf = (record: Facts, sha256: Buffer): Buffer =>
  Buffer.from(
    JSON.stringify([
      'mortar epcs record',
      record.id,
      record.sender ?? '',
      record.messageId ?? '',
      record.kind,
      record.schedule,
      record.presence,
      record.verdict,
      record.receivedAt,
      sha256.toString('hex'),
    ]),
  );

interface Kept {
  readonly record: Facts;
  readonly sha256: Buffer;
  readonly sealed: Buffer;
  readonly keyId: string;
  readonly signature: Buffer;
}

function toKept(row: Row): Kept {
  const [id, sender, messageId, kind, schedule, presence, verdict, sha256, sealed, keyId, signature, at] = row as [
    string,
    string | null,
    string | null,
    string,
    string,
    SignaturePresence,
    SignatureVerdict,
    Buffer,
    Buffer,
    string,
    Buffer,
    number,
  ];
  return {
    record: {
      id,
      ...(sender !== null && { sender }),
      ...(messageId !== null && { messageId }),
      kind,
      schedule,
      presence,
      verdict,
      receivedAt: Math.round(at),
    },
    sha256,
    sealed,
    keyId,
    signature,
  };
}

function isWhole({ record, sha256, sealed, keyId, signature }: Kept, cipher: Cipher, key: ArchiveKey): boolean {
  try {
    const raw = cipher.open(sealed, rawContext(record.id));
    const isSame = createHash('sha256').update(raw).digest().equals(sha256);
    return isSame && key.verify(keyId, statementOf(record, sha256), signature);
  } catch {
    // Bytes that do not open are no more what was archived: that is the finding.
    return false;
  }
}

function countsOf(records: readonly Kept[]) {
  const groups = Map.groupBy(records, ({ record: r }) => [r.kind, r.schedule, r.presence, r.verdict].join(' '));
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    const { kind, schedule, presence, verdict } = first.record;
    return [{ kind, schedule, presence, verdict, count: group.length }];
  });
}
