/**
 * What Consents let whom see, written from SECURITY FA-06 a second time, by walking the provisions of each Consent as they
 * stand; it shares nothing with src/policy or src/postgres.
 */
import type { Caller } from '../../src/ports/caller.ts';
import { type Current, type Json, rangeOf, referencesAt, valuesAt } from './naive-search.ts';

/** Who asks, what of, and when; reading only, as that is all this model is asked for. */
export interface Question {
  readonly caller: Caller;
  /** Why, where it is not what the caller says. */
  readonly purpose?: string;
  readonly type: string;
  readonly resource: Json;
  readonly now: number;
  /** A Binary that belongs to it: denied where either is, and excepted where both are. */
  readonly binary?: Json;
  /** Whether what only may hold does not. */
  readonly isSure?: true;
}

const PARENT: Readonly<Record<string, string>> = {
  ETREAT: 'TREAT',
  BTG: 'ETREAT',
  CLINTRCH: 'HRESCH',
  PATADMIN: 'HOPERAT',
};
const upwards = (code: string): string[] => (PARENT[code] === undefined ? [code] : [code, ...upwards(PARENT[code])]);
const HEIGHT = ['U', 'M', 'N', 'R', 'V'];
const KNOWN = ['TREAT', 'HRESCH', 'ETREAT'];
const many = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const codes = (concept: unknown): string[] =>
  many((concept as Json | undefined)?.['coding']).map(({ code }) => String(code));

const namesOf = ({ user, kind }: Caller): string[] => {
  if (kind !== 'user') return ['any program'];
  return [
    ...(user?.practitionerId === undefined ? [] : [`Practitioner/${user.practitionerId}`]),
    ...(user?.practitionerRoleIds ?? []).map((id) => `PractitionerRole/${id}`),
    ...(user?.organizationIds ?? []).map((id) => `Organization/${id}`),
  ];
};

/** Undefined: nobody knows. */
function reasonsOf({ caller, purpose = caller.purpose }: Question): string[] | undefined {
  if (purpose !== undefined) return upwards(purpose);
  const roles = caller.user?.roles ?? [];
  const clinical = roles.some((role) => ['DOCTOR', 'PRESCRIBER', 'PHARMACIST'].includes(role));
  const front = roles.some((role) => ['RECEPTIONIST', 'STAFF'].includes(role));
  return clinical || front ? ['TREAT', ...(front ? upwards('PATADMIN') : [])] : undefined;
}

const labelsOf = (resource: Json): string[] => {
  const found = valuesAt(resource, 'meta.security.code').map(String);
  return found.some((code) => HEIGHT.includes(code)) ? found : [...found, 'N'];
};

/** Three answers to whether a part of a provision speaks of what is asked. `vague`: it is not understood. */
type Fit = 'yes' | 'no' | 'vague';

function fitsPart(name: string, part: Json, provision: Json, question: Question): Fit {
  const { caller, type, resource } = question;
  const fit = (holds: boolean): Fit => (holds ? 'yes' : 'no');
  switch (name) {
    case 'actor': {
      if (codes(part['role']).includes('AUT')) return 'vague';
      const [who = ''] = referencesAt(part, 'reference');
      if (who.startsWith('Device/')) return fit(namesOf(caller).includes('any program'));
      return who.startsWith('Group/') ? 'vague' : fit(namesOf(caller).includes(who));
    }
    case 'purpose': {
      const reasons = reasonsOf(question);
      if (!KNOWN.includes(String(part['code']))) return 'vague';
      // Who does not say why is kept out by what may hold, and let in by nothing.
      return fit(reasons === undefined ? question.isSure !== true : reasons.includes(String(part['code'])));
    }
    case 'class':
      return part['system'] === 'http://hl7.org/fhir/resource-types' ? fit(part['code'] === type) : 'vague';
    case 'securityLabel': {
      const asked = HEIGHT.indexOf(String(part['code']));
      return fit(
        labelsOf(resource).some((label) => {
          const height = HEIGHT.indexOf(label);
          if (asked < 0 || height < 0)
            return label === part['code'] && label !== (provision['type'] === 'permit' ? 'L' : '');
          return provision['type'] === 'permit' ? height <= asked : height >= asked;
        }),
      );
    }
    case 'action':
      return codes(part).includes('sell') ? 'vague' : fit(codes(part).includes('access'));
    case 'data': {
      const [what = ''] = referencesAt(part, 'reference');
      const itself = what === `${type}/${resource['id']}`;
      if (part['meaning'] === 'instance') return fit(itself);
      if (part['meaning'] !== 'dependents') return 'vague';
      const text = JSON.stringify(resource);
      return fit(itself || text.includes(`${what}"`) || text.includes(`${what}/_history/`));
    }
    default:
      return 'vague';
  }
}

const PARTS = ['actor', 'purpose', 'class', 'securityLabel', 'action', 'data', 'code'];

/** What a provision by itself says; `isClear` is whether each of its parts was understood. */
function fitsProvision(provision: Json, question: Question): { readonly fits: boolean; readonly isClear: boolean } {
  const { start, end } = (provision['period'] ?? {}) as { start?: string; end?: string };
  let fits =
    (start === undefined || rangeOf(start).low <= question.now) &&
    (end === undefined || rangeOf(end).high >= question.now);
  let isClear = true;
  for (const name of PARTS) {
    const all = many(provision[name]);
    if (all.length === 0) continue;
    const subjects = [
      question,
      ...(question.binary ? [{ ...question, type: 'Binary', resource: question.binary }] : []),
    ];
    const each = subjects.map((subject) => all.map((part) => fitsPart(name, part, provision, subject)));
    const held = each.map((one) => one.includes('yes'));
    if (each.some((one) => one.includes('vague'))) isClear = false;
    else if (held.every((one) => !one) || (question.isSure && held.includes(false))) fits = false;
    // What a denial says of what merely refers is understood, and so is what frames one; a permission needs more.
    if (provision['type'] === 'permit' && all.some((part) => part['meaning'] === 'dependents')) isClear = false;
  }
  return { fits, isClear };
}

interface Verdict {
  readonly denies: boolean;
  /** Labels that permissions name for who asks; undefined: none permits. */
  readonly opens: readonly (readonly string[])[];
}

/** A program that is permitted something is not known by its Device. */
const namesProgram = (provision: Json): boolean =>
  many(provision['actor']).some((one) => referencesAt(one, 'reference').some((who) => who.startsWith('Device/')));

/** Whether a provision applies as a permission; its frame is clear and fits. */
const isPermission = (provision: Json, question: Question, isFrameClear: boolean): boolean => {
  const { fits, isClear } = fitsProvision(provision, { ...question, isSure: true });
  return provision['type'] === 'permit' && isFrameClear && isClear && fits && !namesProgram(provision);
};

/** Whether the parts of a frame are all understood, wherever they are asked. */
const isClearFrame = (provision: Json, question: Question): boolean =>
  fitsProvision(provision, question).isClear &&
  !many(provision['data']).some(({ meaning }) => meaning !== 'instance') &&
  (provision['type'] !== undefined || many(provision['securityLabel']).length === 0);

function walk(provision: Json, question: Question, isFrameClear: boolean): Verdict {
  const own = fitsProvision(provision, question);
  // As an unclear permission is none, so its labels frame nothing.
  const isLabelled = many(provision['securityLabel']).length > 0;
  const isUnclearFrame =
    provision['type'] !== 'deny' &&
    !(provision['type'] === 'permit' && own.isClear && isFrameClear && !namesProgram(provision));
  const { securityLabel: _labels, ...unlabelled } = provision;
  const { fits } = isUnclearFrame && isLabelled ? fitsProvision(unlabelled, question) : own;
  if (!fits) return { denies: false, opens: [] };
  const below = many(provision['provision']);
  const isClear = isFrameClear && isClearFrame(provision, question) && !(isUnclearFrame && isLabelled);
  const inner = below.map((one) => walk(one, question, isClear));
  const isExcepted = below.some((one) => isPermission(one, question, isClear));
  const names = namesOf(question.caller);
  const isNamed = many(provision['actor']).some((one) =>
    referencesAt(one, 'reference').some((who) => names.includes(who)),
  );
  const named = many(provision['securityLabel']).flatMap(({ code }) => {
    const height = HEIGHT.indexOf(String(code));
    return height < 0 ? [String(code)] : HEIGHT.slice(0, height + 1);
  });
  const opens = isPermission(provision, question, isFrameClear) && isNamed ? [named] : [];
  return {
    denies: (provision['type'] === 'deny' && !isExcepted) || inner.some(({ denies }) => denies),
    opens: [...opens, ...inner.flatMap((one) => one.opens)],
  };
}

function verdictOf(consent: Json, question: Question): Verdict {
  const nothing: Verdict = { denies: false, opens: [] };
  if (consent['status'] !== 'active' || !codes(consent['scope']).includes('patient-privacy')) return nothing;
  const policy = codes(consent['policyRule']);
  const root = consent['provision'] as Json | undefined;
  const isBare =
    root && root['type'] === undefined && many(root['provision']).length === 0 && PARTS.some((name) => name in root);
  const isOut = policy.includes('OPTOUT');
  const type = isBare ? (isOut ? 'permit' : policy.includes('OPTIN') ? 'deny' : undefined) : root?.['type'];
  const provision = root && { ...root, ...(type !== undefined && { type }) };
  if (!isOut) return provision ? walk(provision, question, true) : nothing;
  return walk({ type: 'deny', provision: provision ? [provision] : [] }, question, true);
}

const consentsOf = (current: readonly Current[], patients: readonly string[]): readonly Json[] =>
  current.flatMap(({ type, resource }) =>
    type === 'Consent' && referencesAt(resource, 'patient').some((text) => patients.includes(text)) ? [resource] : [],
  );

/** Whether a Consent of one of these patients keeps the resource from who asks. */
export const isDenied = (question: Question, patients: readonly string[], current: readonly Current[]): boolean =>
  consentsOf(current, patients).some((consent) => verdictOf(consent, question).denies);

const NEEDED = new Set(['R', 'V', 'L', '_LEGAL', 'SEX', 'HIV', 'PSY', 'ETH', 'SDV', 'SUD']);

/** Whether a Consent of one of them opens it to who asks, with each label that has to be named. */
export const isPermitted = (question: Question, patients: readonly string[], current: readonly Current[]): boolean => {
  const needed = labelsOf(question.resource).filter((code) => NEEDED.has(code));
  return consentsOf(current, patients).some((consent) =>
    verdictOf(consent, question).opens.some((named) => needed.every((code) => named.includes(code) && code !== 'L')),
  );
};
