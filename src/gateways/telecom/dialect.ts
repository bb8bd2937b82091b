/**
 * Telecommunication D.0 as a dialect: how the message log shows what was sent to payers. Claims come in nowhere: this
 * gateway asks payers and is none, and says so to whoever hands one in.
 */
import { createHash } from 'node:crypto';
import { telecomToFhir } from '../../mapping/telecom/map-message.ts';
import { issue } from '../../standards/fhir/outcome.ts';
import type { TelecomMessage, TelecomSegment } from '../../standards/telecom/message.ts';
import { fieldName, findSegmentModel } from '../../standards/telecom/model.ts';
import { readTelecom } from '../../standards/telecom/read.ts';
import { formatTelecom } from '../../standards/telecom/write.ts';
import type { Dialect, Verdict } from '../dialect.ts';

const NO_PAYER: Verdict = {
  kind: 'refused',
  reason: 'kind',
  issues: [issue('not-supported', 'Claims are sent from here to payers; none are taken in')],
};

export const telecomDialect: Dialect<TelecomMessage> = {
  name: 'telecom',
  read(raw) {
    // What is shown may be of any day.
    const { message, header, issues } = readTelecom(raw, LATEST);
    return {
      envelope: {
        kind: header['A3'] ?? 'unknown',
        ...(header['B1'] !== undefined && { sender: header['B1'] }),
        ...(header['A1'] !== undefined && { receiver: `${header['A1']}|${header['A4'] ?? ''}` }),
      },
      ...(message && { message }),
      issues,
      hash: createHash('sha256').update(raw).digest(),
    };
  },
  accepts: () => NO_PAYER,
  translate: (message, { receivedAt }) => telecomToFhir(message, { receivedAt }),
  answer: ({ message }) =>
    formatTelecom({
      side: 'response',
      header: { ...message?.header, A2: 'D0', A3: message?.header['A3'] ?? 'B1', A9: '1', F1: 'R' },
      transmission: [],
      transactions: [[{ id: '21', at: 0, fields: REFUSED.map(([id, value]) => ({ id, value, at: 0 })) }]],
    }),
  describe: ({ header, transmission, transactions }) => ({
    header,
    transmission: transmission.map(describeSegment),
    transactions: transactions.map((segments) => segments.map(describeSegment)),
  }),
};

const LATEST = Date.UTC(9998, 11, 31);
const REFUSED = [
  ['AN', 'R'],
  ['FA', '1'],
  ['FB', '03'],
] as const;

function describeSegment({ id, fields }: TelecomSegment): unknown {
  const model = findSegmentModel(id);
  return {
    segment: `AM${id}${model ? ` ${model.name}` : ''}`,
    fields: fields.map((field) => {
      const known = model?.fields.get(field.id);
      return { field: known ? `${fieldName(known)} ${known.name}` : field.id, value: field.value };
    }),
  };
}
