/** Procedure as PR1. docs/hl7v2.md "FHIR to HL7 v2" */
import type { Json } from '../compact.ts';
import { codesOf } from './encounter.ts';
import { cwe, dtm, ei, isOwnKey, repeated, xcn } from './fields.ts';
import type { Outbound } from './outbound.ts';
import { pl } from './place.ts';
import { listOf, objectOf, textOf } from './source.ts';

const SENT = [
  ...['identifier', 'status', 'category', 'code', 'subject', 'encounter', 'performedDateTime', 'performedPeriod'],
  ...['performer', 'location', 'reasonCode'],
];

/** SNOMED CT: anaesthetist and surgeon have fields of their own. */
const ROLES = new Map([
  ['88189002', 8],
  ['304292004', 11],
]);
const OTHERS = 12;

export function writeProcedures({ from, out }: Outbound): void {
  for (const procedure of from.all('Procedure')) {
    from.tellUnsent(procedure, SENT);
    const period = objectOf(procedure['performedPeriod']);
    const code = objectOf(procedure['code']);
    const words = textOf(code?.['text']);
    const people = (field: number): ReturnType<typeof repeated> =>
      repeated(
        listOf(procedure['performer'])
          .filter((performer) => (ROLES.get(codesOf([performer['function']])[0] ?? '') ?? OTHERS) === field)
          .flatMap(({ actor }) => xcn(actor, from)),
      );
    out.write('PR1', {
      1: out.next('PR1'),
      3: cwe(code && { ...code, text: undefined }),
      4: words,
      5: dtm(procedure['performedDateTime'] ?? period?.['start']),
      6: cwe(procedure['category']),
      7: minutesOf(period),
      8: people(8),
      11: people(11),
      12: people(OTHERS),
      15: repeated(listOf(procedure['reasonCode']).map((reason) => cwe(reason))),
      19: ei(listOf(procedure['identifier']).find((identifier) => !isOwnKey(identifier))),
      20: procedure['status'] === 'entered-in-error' ? 'D' : undefined,
      23: pl(procedure['location'], from),
    });
  }
}

function minutesOf(period: Json | undefined): string | undefined {
  const minutes = (Date.parse(textOf(period?.['end']) ?? '') - Date.parse(textOf(period?.['start']) ?? '')) / 60_000;
  return minutes > 0 ? String(Math.round(minutes)) : undefined;
}
