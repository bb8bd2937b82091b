/**
 * What is known of patients outside the resource tables: messages and jobs, accounts and what was granted in them,
 * emergency accesses. SECURITY DP-04
 */
import type { Cipher } from '../../ports/cipher.ts';
import { rawContext } from '../message-statements.ts';
import type { Pipeline, Statement } from '../pools.ts';
import { WORDS } from './mentions.ts';

/** What tells that a message that was never applied is about a patient. */
export interface Telltale {
  readonly identifiers: readonly { readonly system: string | undefined; readonly value: string }[];
  /** Family names and birth dates, in lower case; the dates also without dashes. */
  readonly marks: readonly string[];
}

const NHS_NUMBER = 'https://fhir.nhs.uk/Id/nhs-number';
const MESSAGES = 200;
/** What a message made is written with its version: `Patient/1/_history/3`. */
const THEIRS = "exists (select from unnest(resources) r where split_part(r, '/_history/', 1) = any($2::text[]))";
const LOWEST_UUID = '00000000-0000-0000-0000-000000000000';
/** Shorter identifiers stand in any message. */
const IDENTIFIER_MIN = 5;

/** Messages that made or changed one of these resources, and those never applied that speak of one of the patients. */
export async function findMessages(
  reads: Pipeline,
  cipher: Cipher,
  references: readonly string[],
  people: readonly Telltale[],
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (let after = LOWEST_UUID; ; ) {
    signal?.throwIfAborted();
    const rows = await reads.query({
      text: `select id, ${THEIRS}, case when resources = '{}' then raw end from mortar.message
where id > $1::uuid order by id limit ${MESSAGES}`,
      values: [after, references],
    });
    for (const [id, isTheirs, raw] of rows)
      if (isTheirs || (raw && speaksOf(cipher.open(raw as Buffer, rawContext(id as string)), people)))
        found.push(id as string);
    const last = rows.at(-1);
    if (!last || rows.length < MESSAGES) return found;
    after = last[0] as string;
  }
}

/** An NHS number tells by itself; the number of a hospital, together with a name or a birth date. */
function speaksOf(raw: Buffer, people: readonly Telltale[]): boolean {
  const text = raw.toString().toLowerCase();
  const holds = (value: string): boolean => isWordIn(text, value.toLowerCase());
  return people.some(({ identifiers, marks }) =>
    identifiers.some(({ system, value }) => {
      if (value.length < IDENTIFIER_MIN || !holds(value)) return false;
      return system === NHS_NUMBER || marks.some((mark) => text.includes(mark));
    }),
  );
}

function isWordIn(text: string, word: string): boolean {
  const isPart = (char: string | undefined): boolean => char !== undefined && /[\p{L}\p{N}]/u.test(char);
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1))
    if (!isPart(text[at - 1]) && !isPart(text[at + word.length])) return true;
  return false;
}

/** Removes messages, with those that were answered as conflicts with or corrections of them. Gives a count. */
export const removeMessages = (ids: readonly string[]): Statement => ({
  text: `with m as (delete from mortar.message where id = any($1::uuid[]) or first_id = any($1::uuid[]) returning 1)
select count(*)::int from m`,
  values: [ids],
});

/** Removes jobs about these messages or resources, dead ones too. Gives a count. */
export const removeJobs = (messages: readonly string[], references: readonly string[]): Statement => ({
  text: `with j as (
  delete from mortar.job
  where payload->>'message' = any($1::text[]) or dedupe = any($1::text[])
    or exists (
      select from regexp_matches(concat_ws(' ', payload::text, key, dedupe, error), $3, 'g') w where w[1] = any($2::text[]))
  returning 1
)
select count(*)::int from j`,
  values: [messages, references, WORDS],
});

/**
 * Accounts that are these patients' and nothing else; somebody else's account no more than loses them, and so does one that
 * is used for somebody else, such as a child.
 */
const soleAmong = (related: string): string => `select id from auth.person
  where patient_ids <> '{}' and patient_ids <@ $1::text[] and roles <@ array['PATIENT'] and related_person_ids <@ ${related}`;
/** Once the relatives of these patients have been taken out of them. */
const SOLE = soleAmong("'{}'::text[]");

/** In this order: what was granted, then the accounts. The last but one gives the count of grants, the last that of accounts. */
export const removeAccounts = (
  patientIds: readonly string[],
  relatedPersonIds: readonly string[],
): readonly Statement[] => [
  // Whoever acted for the patient no longer does.
  {
    text: `update auth.person set security_version = security_version + 1,
  related_person_ids = array(select unnest(related_person_ids) except select unnest($1::text[]))
where related_person_ids && $1::text[]`,
    values: [relatedPersonIds],
  },
  ...[
    `delete from auth.access_token where patient_id = any($1::text[]) or user_id in (select id::text from (${SOLE}) p)`,
    `delete from auth.launch where patient_id = any($1::text[]) or user_id in (select id::text from (${SOLE}) p)`,
    `delete from auth.remembered_consent where patient_id = any($1::text[]) or user_id in (select id::text from (${SOLE}) p)`,
    `delete from auth.authorization_request where user_id in (select id::text from (${SOLE}) p)`,
    'delete from auth.break_glass where patient_id = any($1::text[])',
    "delete from mortar.notice_delivery where patient = any($1::text[]) or recipient = any(select 'Patient/' || p from unnest($1::text[]) p)",
    "delete from mortar.notice_preference where recipient = any(select 'Patient/' || p from unnest($1::text[]) p)",
    "delete from mortar.push_subscription where recipient = any(select 'Patient/' || p from unnest($1::text[]) p)",
    'delete from protection.copy where patient_id = any($1::text[])',
    'delete from protection.restriction where patient_id = any($1::text[])',
    'delete from protection.rectification where patient_id = any($1::text[])',
    `with f as (
  delete from auth.family where patient_id = any($1::text[]) or user_id in (select id::text from (${SOLE}) p) returning 1
)
select count(*)::int from f`,
    `with p as (
  delete from auth.person where id in (${SOLE}) returning 1
), o as (
  update auth.person set security_version = security_version + 1,
    patient_ids = array(select unnest(patient_ids) except select unnest($1::text[]))
  where patient_ids && $1::text[] and id not in (${SOLE})
)
select count(*)::int from p`,
  ].map((text) => ({ text, values: [patientIds] })),
];

/** How many accounts and messages there are, for a review; messages by what they made. */
export const countElsewhere = (
  patientIds: readonly string[],
  relatedPersonIds: readonly string[],
  references: readonly string[],
): Statement => ({
  text: `select (select count(*)::int from (${soleAmong('$3::text[]')}) p),
  (select count(*)::int from mortar.message where ${THEIRS})`,
  values: [patientIds, references, relatedPersonIds],
});
