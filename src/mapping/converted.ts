/** A translation, before and after: what is asked for, what came of it, and what every one of them does at its ends. */
import { formatJson, parseJson } from '../standards/fhir/json.ts';
import {
  FhirError,
  type Issue,
  isError,
  issue,
  type OperationOutcome,
  operationOutcome,
} from '../standards/fhir/outcome.ts';
import type { Mapped } from '../standards/mapped.ts';
import type { Source } from './find-source.ts';

export const TARGETS = ['eps-v3', 'fhir', 'hl7v2', 'script', 'd0'] as const;
export type Target = (typeof TARGETS)[number];
/** What is done instead of a translation: say what a prescriber would sign, check a signature, only check the message. */
export type Mode = 'prepare' | 'verify' | 'check';

export interface ConvertRequest {
  readonly content: Buffer;
  readonly source: Source;
  /** Absent: `eps-v3` of FHIR, `fhir` of everything else. */
  readonly to?: Target;
  readonly mode?: Mode;
  /** The instant the translation takes for now, ms UTC. */
  readonly at: number;
  /** Names in any case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly timeZone: string;
  readonly epsToAsid: string;
  /** A random UUID. */
  readonly newId: () => string;
}

export interface Converted {
  /** Absent when it was refused; then `outcome` says why. */
  readonly value?: { readonly mediaType: string; readonly text: string };
  readonly issues: readonly Issue[];
  readonly outcome: OperationOutcome;
  /** HTTP status that fits. */
  readonly status: number;
}

export const FHIR = 'application/fhir+json';
export const XML = 'application/xml';
export const HL7V2 = 'x-application/hl7-v2+er7';
export const TELECOM = 'application/vnd.ncpdp.telecom';

/** Refused where there is no value, or an error beside it. */
export function converted({ value, issues }: Mapped<unknown>, mediaType: string): Converted {
  if (value === undefined || issues.some(isError)) return refused(issues);
  const text = typeof value === 'string' ? value : formatJson(value, true);
  return { value: { mediaType, text }, issues, outcome: operationOutcome(issues), status: 200 };
}

/** A FHIR resource, or why there is none. */
export const mapped = (result: Mapped<unknown>): Converted => converted(result, FHIR);

export const refused = (issues: readonly Issue[], status = 422): Converted => ({
  issues,
  outcome: operationOutcome(issues),
  status,
});

/** What a check has found is its result; it is refused where there are errors. */
export const foundAll = (all: readonly Issue[], issues: readonly Issue[] = all): Converted =>
  converted({ value: operationOutcome(all), issues }, FHIR);

/** EPS asks for this text (its reference, section 3). */
export function fromJson(request: ConvertRequest, next: (value: unknown) => Converted): Converted {
  let value: unknown;
  try {
    value = parseJson(request.content);
  } catch (error) {
    if (!(error instanceof FhirError)) throw error;
    const reason = error.issues[0]?.diagnostics ?? '';
    return refused([issue('invalid', `Failed to parse JSON encoded FHIR content: ${reason}`)], 400);
  }
  return next(value);
}
