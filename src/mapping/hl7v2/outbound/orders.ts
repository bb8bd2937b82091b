/** MedicationRequest as ORC with RXO or RXE; MedicationDispense as ORC with RXD. docs/hl7v2.md "FHIR to HL7 v2" */
import type { FieldInput } from '../../../standards/hl7v2/format.ts';
import { DISPENSE_TYPE, REQUEST_PRIORITY, reverseCode, SUBSTITUTION, SUBSTITUTION_DONE } from '../code-tables.ts';
import type { Json } from '../compact.ts';
import { amount, cwe, dtm, ei, identifierOf, pl, plainIdentifier, repeated, xcn, xon } from './fields.ts';
import { noteText, writeNotes } from './notes.ts';
import type { Outbound } from './outbound.ts';
import { listOf, objectOf, textOf } from './source.ts';
import { displayOf, legacyTimings, sharedText, writeRoute, writeTimings } from './timing.ts';

const SENT = [
  ...[
    'identifier',
    'status',
    'statusReason',
    'intent',
    'category',
    'priority',
    'medicationCodeableConcept',
    'medicationReference',
  ],
  ...[
    'subject',
    'encounter',
    'authoredOn',
    'requester',
    'recorder',
    'reasonCode',
    'note',
    'dosageInstruction',
    'dispenseRequest',
  ],
  ...['substitution', 'groupIdentifier', 'priorPrescription'],
];

/** What the change of status asks for (table 0119), and the status it leaves (table 0038). */
const CONTROLS = new Map([
  ['active', ['NW', 'IP']],
  ['completed', ['SC', 'CM']],
  ['stopped', ['DC', 'DC']],
  ['cancelled', ['CA', 'CA']],
  ['on-hold', ['HD', 'HD']],
  ['entered-in-error', ['SC', 'ER']],
  ['unknown', ['SC', undefined]],
] as const);

export function writeMedicationRequest(request: Json, name: 'RXO' | 'RXE', to: Outbound): void {
  const { from, out } = to;
  from.tellUnsent(request, SENT);
  const control = CONTROLS.get((textOf(request['status']) ?? '') as 'active');
  if (control === undefined) {
    from.fail('An order of this status is not sent', 'MedicationRequest.status');
    return;
  }
  writeControl(request, control, to);
  const dosages = listOf(request['dosageInstruction']);
  const isLegacy = to.version < 250;
  const priority = reverseCode(REQUEST_PRIORITY, request['priority']);
  if (!isLegacy && name === 'RXO') writeTimings(dosages, priority, to);
  if (name === 'RXO') writeOrdered(request, dosages, to);
  else writeEncoded(request, dosages, isLegacy, to);
  writeNotes(lastNote(request), out);
  if (!isLegacy && name === 'RXE') writeTimings(dosages, priority, to);
  writeRoute(dosages, to);
  writeIngredients(request, to);
}

function writeControl(
  request: Json,
  [control, status]: readonly [string, string | undefined],
  { from, out, version, orderControl }: Outbound,
): void {
  const placed = identifierOf(request, 'PLAC') ?? plainIdentifier(request);
  const filled = identifierOf(request, 'FILL');
  if (placed === undefined && filled === undefined)
    from.fail('An order without a number cannot be sent', 'MedicationRequest.identifier');
  const priority = reverseCode(REQUEST_PRIORITY, request['priority']);
  out.write('ORC', {
    1: control === 'NW' ? orderControl : control,
    2: ei(placed),
    3: ei(filled),
    4: ei(objectOf(request['groupIdentifier'])),
    5: status,
    7: version < 250 ? legacyTimings(listOf(request['dosageInstruction']), priority) : undefined,
    9: dtm(request['authoredOn']),
    10: repeated(xcn(request['recorder'], from)),
    12: repeated(xcn(request['requester'], from)),
    16: cwe(request['statusReason']),
    21: xon(request['requester'], from),
  });
}

interface Dose {
  readonly low: string | undefined;
  readonly high: string | undefined;
  readonly unit: FieldInput;
}

/** One dose for the whole order; the doses of a taper stand in the timings. */
function doseOf(dosages: readonly Json[]): Dose {
  const [dose] = listOf(dosages[0]?.['doseAndRate']);
  const range = objectOf(dose?.['doseRange']);
  const low = amount(dose?.['doseQuantity'] ?? range?.['low']);
  const high = amount(range?.['high']);
  return { low: low.value, high: high.value, unit: low.unit ?? high.unit };
}

/** Words for the patient; before version 2.5 they are joined, as nothing else holds them. */
function sigOf(dosages: readonly Json[], isLegacy = false): FieldInput {
  const texts = new Set(
    dosages.flatMap((dosage) => textOf(dosage['text']) ?? textOf(dosage['patientInstruction']) ?? []),
  );
  const text = isLegacy ? [...texts].join('; ') || undefined : sharedText(dosages);
  return text === undefined ? undefined : [undefined, text];
}

/** All notes but the last: each has a repetition of its own, where the last is the NTE. */
const firstNotes = (resource: Json): FieldInput =>
  repeated(
    listOf(resource['note'])
      .slice(0, -1)
      .map((note) => [undefined, textOf(note['text'])]),
  );
const lastNote = (resource: Json): string | undefined => noteText(listOf(resource['note']).slice(-1));

const drugOf = (resource: Json, { from }: Outbound): ReturnType<typeof cwe> =>
  cwe(resource['medicationCodeableConcept']) ?? cwe(from.resolve(resource['medicationReference'], resource)?.['code']);

function writeOrdered(request: Json, dosages: readonly Json[], to: Outbound): void {
  const { low, high, unit } = doseOf(dosages);
  const supply = objectOf(request['dispenseRequest']);
  const quantity = amount(supply?.['quantity']);
  const rate = amount(listOf(dosages[0]?.['doseAndRate'])[0]?.['rateQuantity']);
  to.out.write('RXO', {
    1: drugOf(request, to),
    2: low,
    3: high,
    4: unit,
    6: firstNotes(request),
    7: sigOf(dosages, to.version < 250),
    9: cwe(objectOf(request['substitution'])?.['allowedCodeableConcept'], SUBSTITUTION),
    11: quantity.value,
    12: quantity.unit,
    13: textOf(supply?.['numberOfRepeatsAllowed']),
    20: repeated(listOf(request['reasonCode']).map((reason) => cwe(reason))),
    21: rate.value,
    22: rate.unit,
  });
}

function writeEncoded(request: Json, dosages: readonly Json[], isLegacy: boolean, to: Outbound): void {
  const { low, high, unit } = doseOf(dosages);
  const supply = objectOf(request['dispenseRequest']);
  const quantity = amount(supply?.['quantity']);
  const rate = amount(listOf(dosages[0]?.['doseAndRate'])[0]?.['rateQuantity']);
  const most = objectOf(objectOf(dosages[0]?.['maxDosePerPeriod'])?.['numerator']);
  const number = listOf(request['identifier']).find(
    (identifier) => textOf(objectOf(identifier['type'])?.['text']) === 'Prescription number',
  );
  const daily = textOf(most?.['value']);
  to.out.write('RXE', {
    1: isLegacy ? legacyTimings(dosages, reverseCode(REQUEST_PRIORITY, request['priority'])) : undefined,
    2: drugOf(request, to),
    3: low,
    4: high,
    5: unit,
    7: sigOf(dosages, isLegacy),
    9: cwe(objectOf(request['substitution'])?.['allowedCodeableConcept'], SUBSTITUTION),
    10: quantity.value,
    11: quantity.unit,
    12: textOf(supply?.['numberOfRepeatsAllowed']),
    15: textOf(number?.['value']),
    19: daily === undefined ? undefined : [daily, textOf(most?.['code']) ?? textOf(most?.['unit'])],
    21: firstNotes(request),
    23: rate.value,
    24: rate.unit,
    27: repeated(listOf(request['reasonCode']).map((reason) => cwe(reason))),
  });
}

/** Parts of a mixture. */
function writeIngredients(request: Json, { from, out }: Outbound): void {
  const medication = from.resolve(request['medicationReference'], request);
  for (const ingredient of listOf(medication?.['ingredient'])) {
    const strength = amount(objectOf(ingredient['strength'])?.['numerator']);
    out.write('RXC', {
      1: ingredient['isActive'] === false ? 'B' : 'A',
      2: cwe(ingredient['itemCodeableConcept']),
      3: strength.value,
      4: strength.unit,
    });
  }
}

const DISPENSE_SENT = [
  ...[
    'identifier',
    'status',
    'medicationCodeableConcept',
    'medicationReference',
    'subject',
    'context',
    'performer',
    'authorizingPrescription',
  ],
  ...['type', 'quantity', 'whenHandedOver', 'whenPrepared', 'destination', 'note', 'dosageInstruction', 'substitution'],
];

const DISPENSE_CONTROLS = new Map([
  ['completed', ['RE', 'CM']],
  ['in-progress', ['RE', 'IP']],
  ['cancelled', ['OC', 'CA']],
  ['entered-in-error', ['OC', 'ER']],
] as const);

/** v3-ActCode: only a part of what was ordered. */
const PARTIAL = new Set(['FFP', 'RFP', 'TFP', 'UDE']);

export function writeDispense(dispense: Json, to: Outbound): void {
  const { from, out } = to;
  from.tellUnsent(dispense, DISPENSE_SENT);
  const control = DISPENSE_CONTROLS.get((textOf(dispense['status']) ?? '') as 'completed');
  if (control === undefined) {
    from.fail('A supply of this status is not sent', 'MedicationDispense.status');
    return;
  }
  const [authorizing] = Array.isArray(dispense['authorizingPrescription']) ? dispense['authorizingPrescription'] : [];
  const request = from.resolve(authorizing);
  const named = objectOf(objectOf(authorizing)?.['identifier']);
  const isPart = listOf(objectOf(dispense['type'])?.['coding']).some(({ code }) => PARTIAL.has(textOf(code) ?? ''));
  const number = plainNumber(dispense, 'Prescription number');
  const own = listOf(dispense['identifier']).find((identifier) => identifier !== number);
  out.write('ORC', {
    1: control[0],
    2: ei(identifierOf(request, 'PLAC') ?? plainIdentifier(request) ?? named),
    3: ei(identifierOf(request, 'FILL')),
    5: isPart ? 'IP' : control[1],
  });
  const medication = from.resolve(dispense['medicationReference'], dispense);
  const batch = objectOf(medication?.['batch']);
  const quantity = amount(dispense['quantity']);
  const substitution = objectOf(dispense['substitution']);
  const [counter] = /\d+$/.exec(textOf(own?.['value']) ?? '') ?? [];
  if (drugOf(dispense, to) === undefined)
    from.fail('A supply names a drug', 'MedicationDispense.medicationCodeableConcept');
  out.write('RXD', {
    1: counter ?? '1',
    2: drugOf(dispense, to),
    3: dtm(dispense['whenHandedOver'] ?? dispense['whenPrepared']),
    4: quantity.value,
    5: quantity.unit,
    6: cwe(medication?.['form']),
    7: textOf(number?.['value']),
    9: repeated(
      listOf(dispense['note'])
        .slice(0, -1)
        .map((note) => textOf(note['text'])),
    ),
    10: repeated(listOf(dispense['performer']).flatMap(({ actor }) => xcn(actor, from))),
    11:
      substitution === undefined
        ? undefined
        : substitution['wasSubstituted'] === true
          ? (cwe(substitution['type'], SUBSTITUTION_DONE) ?? 'G')
          : 'N',
    13: pl(dispense['destination'], from),
    15: sigOf(listOf(dispense['dosageInstruction'])),
    18: textOf(batch?.['lotNumber']),
    19: dtm(batch?.['expirationDate']),
    20: displayOf({ text: objectOf(medication?.['manufacturer'])?.['display'] }),
    32: isPart ? undefined : typeOf(dispense),
  });
  writeNotes(lastNote(dispense), out);
  writeRoute(listOf(dispense['dosageInstruction']), to);
}

const plainNumber = (resource: Json, text: string): Json | undefined =>
  listOf(resource['identifier']).find((identifier) => textOf(objectOf(identifier['type'])?.['text']) === text);

/** Codes of v3 are not those of table 0484. */
function typeOf(dispense: Json): ReturnType<typeof cwe> {
  const type = objectOf(dispense['type']);
  const isV3 = listOf(type?.['coding']).some(({ system }) => textOf(system)?.endsWith('/v3-ActCode'));
  return isV3 ? undefined : cwe(type, DISPENSE_TYPE);
}
