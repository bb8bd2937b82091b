/** Patients and encounters that a person may see, for the pages on which they choose one; a piece of the composition root. */
import type { EncounterSummary, PatientPage, PatientSummary, Records } from './auth/authorize/options.ts';
import { toCallerUser } from './auth/oauth/authenticate.ts';
import type { Caller, ProxyRight } from './ports/caller.ts';
import type { ResourceStore, StoredVersion } from './ports/resource-store.ts';
import type { User } from './ports/users.ts';
import { parseJson } from './standards/fhir/json.ts';
import { FhirError } from './standards/fhir/outcome.ts';
import type { SearchRequest } from './standards/fhir/search/request.ts';
import type { Letter } from './standards/smart/scope.ts';

export interface RecordsParts {
  readonly store: ResourceStore;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly organizationsBelow: (ids: readonly string[]) => Promise<readonly string[]>;
  readonly proxiesOf: (user: User) => Promise<readonly ProxyRight[]>;
}

const PAGE = 20;
const ENCOUNTERS_MAX = 50;
const NHS_NUMBER = 'https://fhir.nhs.uk/Id/nhs-number';
const READS: readonly Letter[] = ['r', 's'];

/** Looks with the person's own rights on these two types, and no others. */
export function createRecords({ store, searchOf, organizationsBelow, proxiesOf }: RecordsParts): Records {
  const callerOf = async (user: User): Promise<Caller> => ({
    kind: 'user',
    name: 'mortar',
    correlationId: 'record-picker',
    scopes: ['Patient', 'Encounter'].map((type) => ({ level: 'user', type, letters: READS })),
    otherScopes: [],
    user: toCallerUser(
      user,
      { authTime: 0, amr: [] },
      { organizationIds: await organizationsBelow(user.organizationIds), proxies: await proxiesOf(user) },
    ),
  });

  async function find(user: User, type: string, id: string): Promise<StoredVersion | undefined> {
    try {
      return await store.read(await callerOf(user), type, id);
    } catch (error) {
      if (error instanceof FhirError && [403, 404, 410].includes(error.status)) return undefined;
      throw error;
    }
  }

  return {
    async searchPatients(user, text, cursor): Promise<PatientPage> {
      const query = new URLSearchParams({ _count: String(PAGE) });
      const words = text.trim().slice(0, 100);
      const number = words.replaceAll(/[ -]/g, '');
      if (/^\d{10}$/.test(number)) query.set('identifier', number);
      else if (words !== '') for (const word of words.split(/\s+/)) query.append('name', escapeValue(word));
      if (cursor !== undefined) query.set('_cursor', cursor);
      const { matches, next } = await store.search(await callerOf(user), searchOf('Patient', query.toString()));
      return { patients: matches.map(toPatient), ...(next !== undefined && { next }) };
    },

    async findPatient(user, id) {
      const version = await find(user, 'Patient', id);
      return version && toPatient(version);
    },

    async findEncounters(user, patientId) {
      const query = new URLSearchParams({
        patient: `Patient/${patientId}`,
        _sort: '-date',
        _count: String(ENCOUNTERS_MAX),
      });
      const { matches } = await store.search(await callerOf(user), searchOf('Encounter', query.toString()));
      return matches.map(toEncounter);
    },

    async findEncounter(user, patientId, id) {
      const version = await find(user, 'Encounter', id);
      if (!version) return undefined;
      const { subject } = contentOf<{ subject?: { reference?: string } }>(version);
      return subject?.reference === `Patient/${patientId}` ? toEncounter(version) : undefined;
    },
  };
}

/** FHIR's own separators in a value. https://hl7.org/fhir/R4/search.html#escaping */
const escapeValue = (text: string): string => text.replaceAll(/[\\,$|]/g, '\\$&');

/** Stored text was checked against the type it is of. */
const contentOf = <T>({ content }: StoredVersion): T => parseJson(content) as T;

interface PatientShape {
  readonly name?: readonly { readonly text?: string; readonly family?: string; readonly given?: readonly string[] }[];
  readonly birthDate?: string;
  readonly identifier?: readonly { readonly system?: string; readonly value?: string }[];
}

function toPatient(version: StoredVersion): PatientSummary {
  const { name: [name] = [], birthDate, identifier = [] } = contentOf<PatientShape>(version);
  const nhsNumber = identifier.find(({ system }) => system === NHS_NUMBER)?.value;
  const parts = [name?.family?.toUpperCase(), name?.given?.join(' ')].filter(
    (part) => part !== undefined && part !== '',
  );
  return {
    id: version.id,
    name: name?.text ?? (parts.length > 0 ? parts.join(', ') : 'Name not recorded'),
    ...(birthDate !== undefined && { birthDate }),
    ...(nhsNumber !== undefined && { nhsNumber }),
  };
}

interface EncounterShape {
  readonly class?: { readonly display?: string; readonly code?: string };
  readonly type?: readonly { readonly text?: string; readonly coding?: readonly { readonly display?: string }[] }[];
  readonly status?: string;
  readonly period?: { readonly start?: string; readonly end?: string };
}

function toEncounter(version: StoredVersion): EncounterSummary {
  const { class: kind, type: [type] = [], status, period } = contentOf<EncounterShape>(version);
  const label = type?.text ?? type?.coding?.[0]?.display ?? kind?.display ?? kind?.code ?? 'Encounter';
  const times = [period?.start, period?.end].map((time) => time?.slice(0, 10)).filter((time) => time !== undefined);
  return {
    id: version.id,
    label: status === undefined ? label : `${label} (${status})`,
    ...(times.length > 0 && { period: [...new Set(times)].join(' to ') }),
  };
}
