/** IN1 as Coverage. Source: segment map IN1[Coverage]. */
import type { FhirResource } from '../transaction-bundle.ts';
import { organization } from './actors.ts';
import { SUBSCRIBER_RELATIONSHIP } from './code-tables.ts';
import { compact, type Json } from './compact.ts';
import { localSystem, type SegmentCursor } from './cursor.ts';
import { codeOf, concept, period } from './data-types.ts';
import { derivedIdentifier, keysOf } from './entries.ts';
import { cx } from './identifiers.ts';
import type { MappedPatient } from './patient.ts';
import type { Translation } from './translation.ts';

const CLASSES = 'http://terminology.hl7.org/CodeSystem/coverage-class';
const RELATIONSHIPS = 'http://terminology.hl7.org/CodeSystem/subscriber-relationship';

/** Found again by payer, policy and patient. A policy without a payer is left out, with a warning. */
export function mapCoverage(in1: SegmentCursor, patient: MappedPatient, to: Translation): void {
  const payor = payorOf(in1, to);
  if (payor === undefined) {
    in1.at(3).warn('required', 'The insurance names no company: it is left out');
    return;
  }
  const policy = in1.at(36).value;
  const plan = in1.at(2);
  const planCode = plan.at(1).value ?? '';
  const payer = String(payor['reference'] ?? payor['display']);
  const { system = '', value } = patient.key;
  const identifier = derivedIdentifier('Coverage', system, value, payer, policy ?? planCode);
  const insured = in1.all(49).flatMap((c) => cx(c, { fallback: localSystem(to.reading, 'insured') }) ?? []);
  const relation = in1.at(17).isValued ? codeOf(SUBSCRIBER_RELATIONSHIP)(in1.at(17)) : undefined;
  const resource = compact({
    resourceType: 'Coverage',
    identifier: [identifier, ...insured],
    status: 'active',
    type: concept()(in1.at(15)),
    subscriber: relation === 'self' ? patient.reference : undefined,
    subscriberId: policy,
    beneficiary: patient.reference,
    relationship: relation && { coding: [{ system: RELATIONSHIPS, code: relation }] },
    period: period(in1.at(12), in1.at(13)),
    payor: [payor],
    class: [
      ...classOf('group', in1.at(8).value, in1.at(9).value),
      ...classOf('plan', plan.at(1).value, plan.at(2).value),
    ],
  }) as FhirResource; // it has its resourceType
  to.entries.store(resource, keysOf([identifier]));
}

/** IN1-3 is the number of the company, IN1-4 its name. */
function payorOf(in1: SegmentCursor, to: Translation): Json | undefined {
  const [id] = in1.all(3).flatMap((c) => cx(c, { fallback: localSystem(to.reading, 'insurer') }) ?? []);
  const name = in1.at(4).value;
  const keys = id === undefined ? [] : keysOf([id]);
  if (id === undefined || keys.length === 0) return in1.at(4).isValued ? organization(in1.at(4), to) : undefined;
  const resource = { resourceType: 'Organization', identifier: [id], ...(name !== undefined && { name }) };
  return { ...to.entries.mention(resource, keys), ...(name !== undefined && { display: name }) };
}

const classOf = (code: string, value: string | undefined, name: string | undefined): readonly Json[] =>
  value === undefined
    ? []
    : [{ type: { coding: [{ system: CLASSES, code }] }, value, ...(name !== undefined && { name }) }];
