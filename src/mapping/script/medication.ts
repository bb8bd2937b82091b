/** MedicationPrescribed and MedicationRequest (reference sections 5, 13.4): the rows, and the lists beside them. */

import { CODE_LISTS } from '../../standards/script/code-lists.ts';
import { type Binding, bindToFhir, bindToScript, dateChoice } from './bindings.ts';
import { CODE, codes, DATE_TIME, DECIMAL, TEXT, WHOLE } from './codecs.ts';
import { getAt, isObject, type Json, objectsAt, setAt, textAt } from './place.ts';
import type { Source } from './source.ts';
import { diagnosisQualifier, diagnosisSystem, drugSystem, NCIT, QUANTITY_UNITS, UCUM } from './systems.ts';
import type { Target } from './target.ts';

const SUBSTITUTION = codes({ 0: true, 1: false });
/** Kept for reference only, or covering an order phoned in: never routed to filling. Held: the request's status. */
const NOT_DISPENSED = codes({ Y: 'Y', E: 'E' });

const REQUEST: readonly Binding[] = [
  ['Quantity/Value', 'dispenseRequest.quantity.value', DECIMAL],
  ['Quantity/CodeListQualifier', 'dispenseRequest.quantity.ext:script-quantity-qualifier.valueCode', CODE],
  ['Quantity/QuantityUnitOfMeasure/Code', 'dispenseRequest.quantity.code', CODE],
  ['DaysSupply', 'dispenseRequest.expectedSupplyDuration.value', DECIMAL],
  ...dateChoice('WrittenDate', 'authoredOn'),
  ...dateChoice('LastFillDate', 'ext:script-last-fill-date.valueDateTime'),
  ['Substitutions', 'substitution.allowedBoolean', SUBSTITUTION],
  ['PharmacyRequestedRefills', 'ext:script-requested-refills.valueInteger', WHOLE],
  ['RefillsRemaining', 'ext:script-refills-remaining.valueInteger', WHOLE],
  ['ReasonForSubstitutionCodeUsed', 'substitution.reason.text'],
  ['NumberOfRefills', 'dispenseRequest.numberOfRepeatsAllowed', WHOLE],
  ['PriorAuthorization', 'ext:script-prior-auth-number.valueString'],
  ['PriorAuthorizationStatus', 'ext:script-prior-auth-status.valueCode', CODE],
  ['Note', 'note[0].text'],
  ['DoNotFill', 'ext:script-do-not-dispense.valueCode', NOT_DISPENSED],
  ['RxFillIndicator', 'ext:script-rx-fill-indicator.valueString'],
  ['DeliveryRequest', 'ext:script-delivery-request.valueString'],
  ['DeliveryLocation', 'ext:script-delivery-location.valueString'],
  ['PrescriberCheckedREMS', 'ext:script-rems-checked.valueCode', CODE],
  ['REMSPatientRiskCategory', 'ext:script-rems-risk-category.valueString'],
  ['REMSAuthorizationNumber', 'ext:script-rems-authorization.valueString'],
  ['NeedNoLaterThan/NeededNoLaterThanDate', 'dispenseRequest.ext:script-needed-by.valueDateTime', DATE_TIME],
  ['DrugCoded/Strength/StrengthValue', 'ext:script-strength.sub:value.valueString', TEXT],
  ['DrugCoded/Strength/StrengthForm/Code', 'ext:script-strength.sub:form.valueCode', CODE],
  ['DrugCoded/Strength/StrengthUnitOfMeasure/Code', 'ext:script-strength.sub:unit.valueCode', CODE],
  ['DrugCoded/DEASchedule/Code', 'ext:script-dea-schedule.valueCoding.code', CODE],
];

/** All that fits into the request but the drug itself. */
export function mapMedication(source: Source, request: Json): void {
  bindToFhir(REQUEST, source, request);
  if (source.peek('DoNotFill') === 'H') {
    request['status'] = 'on-hold';
    source.take('DoNotFill');
  }
  // 10.6: refills as needed, without a number (reference section 5).
  const refills = source.find('Refills');
  if (refills?.peek('Qualifier') === 'PRN') {
    setAt(request, 'ext:script-refills-as-needed.valueBoolean', true);
    refills.takeWhole();
  }
  nameUnits(request);
  const schedule = getAt(request, 'ext:script-dea-schedule.valueCoding') as Json | undefined; // bound above
  const name = CODE_LISTS.get('DEASchedule')?.codes.get(String(schedule?.['code']));
  if (schedule) Object.assign(schedule, { system: NCIT }, name !== undefined && { display: name });
  mapPeriod(source, request);
  mapReasons(source, request);
  mapCoverageStatus(source, request);
  request['medicationCodeableConcept'] = mapDrug(source);
}

function nameUnits(request: Json): void {
  const quantity = getAt(request, 'dispenseRequest.quantity') as Json | undefined; // bound above
  const code = textAt(quantity, 'code');
  if (quantity && code !== undefined) Object.assign(quantity, { unit: QUANTITY_UNITS.get(code) ?? code, system: NCIT });
  const supply = getAt(request, 'dispenseRequest.expectedSupplyDuration') as Json | undefined; // bound above
  if (supply) Object.assign(supply, { unit: 'day', system: UCUM, code: 'd' });
}

const PERIOD: readonly (readonly [qualifier: string, end: 'start' | 'end'])[] = [
  ['StartDate', 'start'],
  ['EffectiveDate', 'start'],
  ['ExpirationDate', 'end'],
  ['PeriodEnd', 'end'],
];

const END_FIRST = 'dispenseRequest.validityPeriod.ext:script-end-first.valueBoolean';

/** The first date of each end has a place; which of its two names it had stands beside it. */
function mapPeriod(source: Source, request: Json): void {
  for (const other of source.all('OtherMedicationDate')) {
    const end = PERIOD.find(([name]) => name === other.peek('OtherMedicationDateQualifier'))?.[1];
    const place = `dispenseRequest.validityPeriod.${end}`;
    if (end === undefined || getAt(request, place) !== undefined) continue;
    const isSecond = end === 'start' && getAt(request, 'dispenseRequest.validityPeriod.end') !== undefined;
    bindToFhir(dateChoice('OtherMedicationDate', place), other, request);
    if (getAt(request, place) === undefined) continue;
    if (isSecond) setAt(request, END_FIRST, true);
    const qualifier = other.take('OtherMedicationDateQualifier');
    setAt(request, `dispenseRequest.validityPeriod.ext:script-${end}-qualifier.valueCode`, qualifier);
  }
}

const DIAGNOSES = ['Primary', 'Secondary'] as const;

function mapReasons(source: Source, request: Json): void {
  const reasons = source.all('Diagnosis').flatMap((diagnosis, index) =>
    DIAGNOSES.flatMap((role) => {
      const one = diagnosis.find(role);
      const code = one?.take('Code');
      if (one === undefined || code === undefined) return [];
      const qualifier = one.take('Qualifier') ?? '';
      const text = one.take('Description');
      const reason: Json = { coding: [{ system: diagnosisSystem(qualifier), code }], ...(text && { text }) };
      setAt(reason, 'ext:script-diagnosis.sub:group.valueInteger', index + 1);
      setAt(reason, 'ext:script-diagnosis.sub:role.valueCode', role);
      if (qualifier !== '') setAt(reason, 'ext:script-diagnosis.sub:qualifier.valueString', qualifier);
      const clinical = role === 'Primary' ? diagnosis.take('ClinicalInformationQualifier') : undefined;
      if (clinical !== undefined) setAt(reason, 'ext:script-diagnosis.sub:clinical.valueString', clinical);
      return [reason];
    }),
  );
  if (reasons.length > 0) request['reasonCode'] = reasons;
}

function mapCoverageStatus(source: Source, request: Json): void {
  const statuses = source.all('DrugCoverageStatusCode').flatMap((status) => {
    const code = CODE.decode(status.text ?? '');
    if (code !== undefined) status.takeWhole();
    return code === undefined ? [] : [{ url: 'code', valueCode: code }];
  });
  if (statuses.length > 0) setAt(request, 'ext:script-drug-coverage-status.extension', statuses);
}

const DRUG_CODES = ['ProductCode', 'DrugDBCode'] as const;

export function mapDrug(source: Source): Json {
  const coding = DRUG_CODES.flatMap((element) => {
    const code = source.take(`DrugCoded/${element}/Code`);
    const qualifier = code === undefined ? undefined : source.take(`DrugCoded/${element}/Qualifier`);
    return code === undefined ? [] : [drugCoding(element, code, qualifier)];
  });
  const text = source.take('DrugDescription');
  return { ...(coding.length > 0 && { coding }), ...(text && { text }) };
}

/** NDC has 11 digits without hyphens: those of 4-4-2, 5-3-2 and 5-4-1 are padded (reference section 22). */
export function drugCoding(element: string, code: string, qualifier = 'unknown'): Json {
  const coding: Json = { system: drugSystem(qualifier), code: qualifier === 'ND' ? formatNdc(code) : code };
  setAt(coding, 'ext:script-drug-code.valueString', `${element}/${qualifier}`);
  return coding;
}

function formatNdc(code: string): string {
  const [labeler = '', product = '', packaged = '', more] = code.split('-');
  const digits = [labeler.padStart(5, '0'), product.padStart(4, '0'), packaged.padStart(2, '0')].join('');
  return packaged !== '' && more === undefined && /^\d{11}$/.test(digits) ? digits : code;
}

/** Description and codes of a drug. */
export function drugCodesToScript(drug: unknown, target: Target): void {
  const description = TEXT.encode(
    textAt(drug, 'text') ?? objectsAt(drug, 'coding').flatMap((one) => textAt(one, 'display') ?? [])[0],
  );
  if (description !== undefined) target.put('DrugDescription', description);
  for (const coding of objectsAt(drug, 'coding')) drugCodeToScript(coding, target);
}

export function medicationToScript(request: Json, drug: unknown, target: Target): void {
  drugCodesToScript(drug, target);
  bindToScript(REQUEST, { ...request, dispenseRequest: inScriptUnits(request['dispenseRequest']) }, target);
  if (request['status'] === 'on-hold' && !target.has('DoNotFill')) target.put('DoNotFill', 'H');
  // SCRIPT wants to know what the amount is; an order's is the original one.
  if (target.has('Quantity') && !target.has('Quantity/CodeListQualifier'))
    target.put('Quantity/CodeListQualifier', '38');
  periodToScript(request, target);
  reasonsToScript(request, target);
  for (const status of objectsAt(request, 'ext:script-drug-coverage-status.extension'))
    if (typeof status['valueCode'] === 'string') target.add('DrugCoverageStatusCode', status['valueCode']);
}

/** UCUM units that have an NCIt code in SCRIPT. */
const NCIT_OF_UCUM: ReadonlyMap<unknown, string> = new Map([
  ['mL', 'C28254'],
  ['g', 'C48155'],
  ['mg', 'C28253'],
]);

/** A quantity in a unit SCRIPT has no code for has no unit there, and a supply is counted in days or not at all. */
function inScriptUnits(dispense: unknown): unknown {
  if (!isObject(dispense)) return dispense;
  const { quantity, expectedSupplyDuration: supply } = dispense;
  return {
    ...dispense,
    ...(isObject(quantity) && { quantity: { ...quantity, code: ncitCode(quantity) } }),
    ...(isObject(supply) && !isInDays(supply) && { expectedSupplyDuration: undefined }),
  };
}

export const ncitCode = ({ system, code }: Json): unknown =>
  system === NCIT ? code : system === UCUM ? NCIT_OF_UCUM.get(code) : undefined;

export const isInDays = ({ system, code, unit }: Json): boolean =>
  code === undefined ? unit === 'd' || unit === 'day' || unit === 'days' : system === UCUM && code === 'd';

function drugCodeToScript(coding: Json, target: Target): void {
  const code = textAt(coding, 'code');
  const known =
    textAt(coding, 'ext:script-drug-code.valueString') ??
    (coding['system'] === drugSystem('ND') ? 'ProductCode/ND' : '');
  const element = DRUG_CODES.find((name) => known.startsWith(`${name}/`));
  if (element === undefined || code === undefined || target.has(`DrugCoded/${element}`)) return;
  target.put(`DrugCoded/${element}/Code`, code);
  const qualifier = known.slice(element.length + 1);
  if (qualifier !== 'unknown') target.put(`DrugCoded/${element}/Qualifier`, qualifier);
}

function periodToScript(request: Json, target: Target): void {
  const ends = [
    ['start', 'EffectiveDate'],
    ['end', 'ExpirationDate'],
  ] as const;
  for (const [end, usual] of getAt(request, END_FIRST) === true ? ends.toReversed() : ends) {
    const place = `dispenseRequest.validityPeriod.${end}`;
    if (textAt(request, place) === undefined) continue;
    const other = target.add('OtherMedicationDate');
    bindToScript(dateChoice('OtherMedicationDate', place), request, other);
    const qualifier = textAt(request, `dispenseRequest.validityPeriod.ext:script-${end}-qualifier.valueCode`);
    other.put('OtherMedicationDateQualifier', qualifier ?? usual);
  }
}

function reasonsToScript(request: Json, target: Target): void {
  const groups = new Map<number, Target>();
  objectsAt(request, 'reasonCode').forEach((reason, index) => {
    const at = 'ext:script-diagnosis';
    const number = Number(getAt(reason, `${at}.sub:group.valueInteger`) ?? Math.floor(index / 2) + 1);
    const said = textAt(reason, `${at}.sub:role.valueCode`);
    const role = DIAGNOSES.find((name) => name === said) ?? (index % 2 === 0 ? 'Primary' : 'Secondary');
    const coding = objectsAt(reason, 'coding').find((one) => textAt(one, 'code') !== undefined);
    const qualifier = textAt(reason, `${at}.sub:qualifier.valueString`) ?? diagnosisQualifier(coding?.['system']);
    const code = textAt(coding, 'code');
    // A reason in words only, or in a code system SCRIPT has no qualifier for, has no place in Diagnosis.
    if (code === undefined || (qualifier === undefined && getAt(reason, at) === undefined)) return;
    const group = groups.get(number) ?? target.add('Diagnosis');
    groups.set(number, group);
    if (role === 'Primary')
      group.put('ClinicalInformationQualifier', textAt(reason, `${at}.sub:clinical.valueString`) ?? '1');
    const one = group.add(role);
    one.put('Code', code);
    if (qualifier !== undefined) one.put('Qualifier', qualifier);
    const text = textAt(reason, 'text') ?? textAt(coding, 'display');
    if (text !== undefined) one.put('Description', text);
  });
}
