/**
 * The rules of intake for a message from which something is dispensed (reference section 12, stage 3): numbers of the
 * prescriber, controlled substances, dates, directions. Structure is judged before (`check.ts`).
 */
import type { Issue } from '../fhir/outcome.ts';
import { addDays, findPrescriptionFaults, lastDayOf, type Schedule, scheduleOf } from '../ncpdp/controlled.ts';
import { compareExact } from '../ncpdp/exact.ts';
import { deaFitsName, isNpi, ndc11Of, parseDeaNumber } from '../ncpdp/identifiers.ts';
import type { XmlElement } from '../xml/tree.ts';
import { type Consequence, type IntakeRule, intakeIssue, placeOf } from './intake-issue.ts';
import { TRUTHS } from './leaf-format.ts';
import { elementsNamed, findElement, findText, type ScriptMessage, textOf } from './message.ts';
import { readSig, supplyFits } from './sig-sanity.ts';

/** What is known of a product by its NDC. */
export interface Product {
  readonly schedule?: Schedule;
  readonly isActive: boolean;
}

export interface IntakeContext {
  /** ms UTC */
  readonly now: number;
  /** Absent: no drug directory is there, and its rules do not run. Undefined: it does not know the product. */
  readonly findProduct?: (ndc11: string) => Product | undefined;
}

/** By transaction, the drug from which something is dispensed. */
const FILLABLE: ReadonlyMap<string, string> = new Map([
  ['NewRx', 'MedicationPrescribed'],
  ['RxRenewalResponse', 'MedicationResponse'],
  ['RxChangeResponse', 'MedicationPrescribed'],
]);
const APPROVALS = ['Approved', 'ApprovedWithChanges', 'Replace'];

/** The drug a pharmacy may fill after this message; undefined where there is none. A denial is never an approval. */
export function fillableDrug({ kind, transaction }: ScriptMessage): XmlElement | undefined {
  const name = FILLABLE.get(kind);
  const drug = name === undefined ? undefined : findElement(transaction, name);
  if (kind === 'NewRx' || drug === undefined) return drug;
  const response = findElement(transaction, 'Response');
  const outcomes = APPROVALS.filter((outcome) => findElement(response, outcome));
  const isOne = response?.children.filter((node) => typeof node !== 'string').length === 1;
  return isOne && outcomes.length === 1 ? drug : undefined;
}

/** The schedule the message states for a drug, compounds by their strictest ingredient. */
export function statedSchedule(drug: XmlElement): Schedule | undefined {
  const ingredients = elementsNamed(findElement(drug, 'CompoundInformation'), 'CompoundIngredientsLotNotUsed');
  const codes = [
    findText(drug, 'DrugCoded/DEASchedule/Code'),
    ...ingredients.map((one) => findText(one, 'CompoundIngredient/DEASchedule/Code')),
  ];
  const [strictest] = codes.flatMap((code) => scheduleOf(code) ?? []).toSorted();
  return strictest;
}

/** Whether a signature, or the word that there is one, came with the message (21 CFR 1311.200). */
export function isSigned({ root, version }: ScriptMessage, drug: XmlElement): boolean {
  const signature = findElement(root, 'Header/DigitalSignature');
  const indicator = findText(signature, 'DigitalSignatureIndicator');
  if (indicator !== undefined) return TRUTHS.get(indicator) === true;
  if (findText(signature, 'SignatureValue') !== undefined) return true;
  // The way of 10.6 to say it.
  return version.readAs === '10.6' && elementsNamed(drug, 'DrugCoverageStatusCode').some((one) => textOf(one) === 'SI');
}

/** `message` in the shape of 2017071. Nothing for messages from which nothing is dispensed. */
export function checkIntake(message: ScriptMessage, context: IntakeContext): readonly Issue[] {
  const drug = fillableDrug(message);
  return drug ? new Intake(message, drug, context).run() : [];
}

class Intake {
  readonly #issues: Issue[] = [];
  readonly #message: ScriptMessage;
  readonly #drug: XmlElement;
  readonly #context: IntakeContext;
  readonly #today: string;
  readonly #at: string;

  constructor(message: ScriptMessage, drug: XmlElement, context: IntakeContext) {
    this.#message = message;
    this.#drug = drug;
    this.#context = context;
    this.#today = new Date(context.now).toISOString().slice(0, 10);
    this.#at = `Message/Body/${message.transaction.name}`;
  }

  run(): readonly Issue[] {
    this.#checkPrescriber();
    this.#checkDates();
    this.#checkDrug();
    this.#checkSupply();
    this.#checkAllergies();
    const schedule = this.#schedule();
    if (schedule) this.#checkControlled(schedule);
    return this.#issues;
  }

  /** An element by its path below the transaction, or the nearest there is, so that the issue has a line. */
  #add(rule: IntakeRule, then: Consequence, path: string, what: string): void {
    const full = `${this.#at}/${path}`;
    let element: XmlElement = this.#message.transaction;
    for (const name of path.split('/')) element = findElement(element, name) ?? element;
    this.#issues.push(intakeIssue(rule, then, placeOf(full, element), what));
  }

  get #person(): { readonly path: string; readonly element: XmlElement | undefined; readonly isVeterinarian: boolean } {
    const isVeterinarian = findElement(this.#message.transaction, 'Prescriber/Veterinarian') !== undefined;
    const path = `Prescriber/${isVeterinarian ? 'Veterinarian' : 'NonVeterinarian'}`;
    return { path, element: findElement(this.#message.transaction, path), isVeterinarian };
  }

  #checkPrescriber(): void {
    const { path, element, isVeterinarian } = this.#person;
    const npi = findText(element, 'Identification/NPI');
    if (!isVeterinarian && !(npi !== undefined && isNpi(npi)))
      this.#add('V-NPI-1', 'reject', `${path}/Identification/NPI`, 'is no NPI: ten digits with a check digit');
    const phone = findText(element, 'CommunicationNumbers/PrimaryTelephone/Number');
    if (phone !== undefined && !/^\d{10}$/.test(phone))
      this.#add('V-DEM-1', 'warn', `${path}/CommunicationNumbers/PrimaryTelephone/Number`, 'has not ten digits');
  }

  #checkDates(): void {
    const { transaction } = this.#message;
    const person = ['HumanPatient', 'NonHumanPatient'].find((name) => findElement(transaction, `Patient/${name}`));
    const born = dayOf(findElement(transaction, `Patient/${person}/DateOfBirth`));
    if (born !== undefined && (born > this.#today || yearsBetween(born, this.#today) > 130))
      this.#add('V-DEM-1', 'reject', `Patient/${person}/DateOfBirth`, 'is to come, or more than 130 years ago');
    const written = dayOf(findElement(this.#drug, 'WrittenDate'));
    if (written !== undefined && written > addDays(this.#today, 1))
      this.#add('V-DEM-1', 'reject', `${this.#drug.name}/WrittenDate`, 'is to come');
    const measurements = elementsNamed(findElement(transaction, 'Observation'), 'Measurement');
    const isWeighed = measurements.some((one) => WEIGHTS.has(findText(one, 'VitalSign') ?? ''));
    if (person === 'HumanPatient' && born !== undefined && yearsBetween(born, this.#today) < 18 && !isWeighed)
      this.#add('V-DEM-2', 'warn', 'Observation', 'has no weight, and the patient is under 18');
  }

  #checkDrug(): void {
    const { name } = this.#drug;
    const code = findText(this.#drug, 'DrugCoded/ProductCode/Code');
    const isNdc = code !== undefined && findText(this.#drug, 'DrugCoded/ProductCode/Qualifier') === 'ND';
    const ndc = isNdc ? ndc11Of(code) : undefined;
    const path = `${name}/DrugCoded/ProductCode/Code`;
    if (isNdc && ndc === undefined)
      this.#add('V-NDC-1', 'reject', path, 'is no NDC of 11 digits; ten digits need their hyphens');
    const { findProduct } = this.#context;
    const product = ndc === undefined ? undefined : findProduct?.(ndc);
    if (ndc !== undefined && findProduct && !product?.isActive)
      this.#add('V-NDC-2', 'hold', path, 'is not an active product of the drug directory');
    const lowered = product?.schedule !== undefined && lowers(statedSchedule(this.#drug), product.schedule);
    if (lowered)
      this.#add('V-CS-1', 'reject', `${name}/DrugCoded/DEASchedule/Code`, 'is not the schedule of the drug directory');
  }

  /** The stricter of what the message states and what the directory knows. */
  #schedule(): Schedule | undefined {
    const ndc = ndc11Of(findText(this.#drug, 'DrugCoded/ProductCode/Code') ?? '');
    const known = ndc === undefined ? undefined : this.#context.findProduct?.(ndc)?.schedule;
    const [strictest] = [statedSchedule(this.#drug), known].filter((one) => one !== undefined).toSorted();
    return strictest;
  }

  #checkSupply(): void {
    const { name } = this.#drug;
    const value = findText(this.#drug, 'Quantity/Value');
    if (value !== undefined && (compareExact(value, '0') ?? 0) <= 0)
      this.#add('V-REQ-1', 'reject', `${name}/Quantity/Value`, 'must be over zero');
    const days = Number(findText(this.#drug, 'DaysSupply') ?? Number.NaN);
    if (days > 90) this.#add('V-QTY-1', days > 365 ? 'hold' : 'warn', `${name}/DaysSupply`, 'is for more than 90 days');
    const text = findText(this.#drug, 'Sig/SigText');
    if (text === undefined) return;
    const sig = readSig(text);
    if (!sig.isReadable) this.#add('V-SIG-1', 'hold', `${name}/Sig/SigText`, 'cannot be read as directions for use');
    else if (!supplyFits(sig, Number(value ?? Number.NaN), days))
      this.#add('V-SIG-1', 'warn', `${name}/DaysSupply`, 'does not fit the quantity and the directions');
  }

  #checkAllergies(): void {
    const code =
      findText(this.#drug, 'DrugCoded/DrugDBCode/Code') ?? findText(this.#drug, 'DrugCoded/ProductCode/Code');
    const words = (findText(this.#drug, 'DrugDescription') ?? '').toLowerCase();
    const allergies = elementsNamed(findElement(this.#message.transaction, 'AllergyOrAdverseEvent'), 'Allergies');
    const meets = allergies.some((one) => {
      const text = (findText(one, 'DrugProductCoded/Text') ?? '').toLowerCase();
      const isSameCode = code !== undefined && findText(one, 'DrugProductCoded/Code') === code;
      return isSameCode || (text.length > 3 && words.includes(text));
    });
    if (meets) this.#add('V-ALG-1', 'hold', this.#drug.name, 'is what the message says the patient is allergic to');
  }

  #checkControlled(schedule: Schedule): void {
    const { name } = this.#drug;
    const refills = findText(this.#drug, 'NumberOfRefills');
    const count = refills !== undefined && /^\d+$/.test(refills) ? Number(refills) : undefined;
    for (const { what, law } of findPrescriptionFaults(schedule, count))
      this.#add('V-CS-2', 'reject', `${name}/NumberOfRefills`, `${what} (${law})`);
    if (this.#message.kind === 'RxRenewalResponse' && schedule === 'CII')
      this.#add('V-CS-2', 'reject', name, 'is for Schedule II, which is not renewed: a new prescription is needed');
    const written = dayOf(findElement(this.#drug, 'WrittenDate'));
    const last = written === undefined ? undefined : lastDayOf(schedule, written);
    if (last !== undefined && this.#today > last)
      this.#add('V-CS-3', 'reject', `${name}/WrittenDate`, 'is more than six months ago (21 CFR 1306.22)');
    if (!isSigned(this.#message, this.#drug))
      this.#issues.push(
        intakeIssue(
          'V-CS-4',
          'reject',
          placeOf('Message/Header/DigitalSignature', this.#message.root),
          'is missing, and the drug is controlled (21 CFR 1311.200)',
        ),
      );
    this.#checkDea();
    this.#checkAddresses();
  }

  #checkDea(): void {
    const { path, element } = this.#person;
    const at = `${path}/Identification/DEANumber`;
    const text = findText(element, 'Identification/DEANumber');
    const number = text === undefined ? undefined : parseDeaNumber(text);
    if (number === undefined) {
      const what =
        text === undefined ? 'is missing, and the drug is controlled' : 'is no DEA number: its check digit is wrong';
      this.#add('V-DEA-1', 'reject', at, what);
      return;
    }
    const names = ['Name/LastName', 'PracticeLocation/BusinessName'].flatMap((one) => findText(element, one) ?? []);
    if (!deaFitsName(number, names)) this.#add('V-DEA-2', 'warn', at, 'has not the first letter of the last name');
    if (number.registrant === 'not a prescriber')
      this.#add('V-DEA-3', 'reject', at, 'is of a registrant who does not prescribe');
    if (number.registrant === 'unknown') this.#add('V-DEA-3', 'hold', at, 'is of a registrant of an unusual kind');
  }

  #checkAddresses(): void {
    const { transaction } = this.#message;
    for (const [path, who] of [
      ['Patient/HumanPatient', 'patient'],
      [this.#person.path, 'prescriber'],
    ] as const) {
      const person = findElement(transaction, path);
      if (person && ['AddressLine1', 'City'].some((one) => findText(person, `Address/${one}`) === undefined))
        this.#add('V-CS-5', 'reject', `${path}/Address`, `is not the full address of the ${who} (21 CFR 1306.05)`);
    }
  }
}

const WEIGHTS = new Set(['Weight', '29463-7', '3141-9']);

/** Whether a stated schedule is less strict than the known one; none stated is the least. */
const lowers = (stated: Schedule | undefined, known: Schedule): boolean => stated === undefined || stated > known;

/** The day of a Date or DateTime. */
const dayOf = (element: XmlElement | undefined): string | undefined =>
  (findText(element, 'Date') ?? findText(element, 'DateTime'))?.slice(0, 10);

function yearsBetween(from: string, to: string): number {
  const years = Number(to.slice(0, 4)) - Number(from.slice(0, 4));
  return to.slice(5) < from.slice(5) ? years - 1 : years;
}
