/** Whom somebody looks for in a pharmacy's queue, by name or health number. MISSION M10 (`patient_search`) */
import type { Caller } from '../../ports/caller.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';

export interface QueuePatientsServices {
  readonly visible: Pick<ResourceStore, 'search'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
}

/** Ids of the Patients that the caller may see. Throws 422 where more stand in the queue than are looked at. */
export type FindQueuePatients = (caller: Caller, pharmacyId: string, text: string) => Promise<readonly string[]>;

const PAGE = 200;
const PATIENTS_MAX = 1000;
const WORDS_MAX = 5;

/** Who of them is told of, and what was asked, is said to the trail by the route. */
export function createQueuePatients({ visible, searchOf }: QueuePatientsServices): FindQueuePatients {
  return async (caller, pharmacyId, text) => {
    const named = queryOf(text);
    const first = await visible.search(caller, searchOf('Patient', `${named}&_count=${PAGE}`));
    if (first.next === undefined) return first.matches.map(({ id }) => id);
    // More of that name than a page holds, most of whom never came here.
    const request = searchOf('Patient', `${named}&_has:Task:patient:owner=Organization/${pharmacyId}&_count=${PAGE}`);
    const ids: string[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await visible.search(caller, { ...request, ...(cursor !== undefined && { cursor }) });
      for (const { id } of page.matches) ids.push(id);
      if (page.next === undefined) return ids;
      if (ids.length >= PATIENTS_MAX) throw tooMany();
      cursor = page.next;
    }
  };
}

const tooMany = (): FhirError =>
  new FhirError(422, [
    issue(
      'too-costly',
      `More than ${PATIENTS_MAX} patients of this queue are called so: give more of the name, or the health number`,
    ),
  ]);

/** A health number is asked for as it was typed and as it is written: `123 456 7890`. Of a name each word must fit. */
function queryOf(text: string): string {
  const number = text.replaceAll(/\s+/g, '');
  if (!/^[0-9]{4,}$/.test(number)) return `name=${words(text)}`;
  const spaced = number.replace(/^(\d{3})(\d{3})(\d+)$/, '$1 $2 $3');
  return `identifier=${[...new Set([number, text, spaced])].map(encodeURIComponent).join(',')}`;
}

const words = (text: string): string =>
  text
    .split(/\s+/)
    .filter((word) => word !== '')
    .slice(0, WORDS_MAX)
    .map((word) => encodeURIComponent(word.replaceAll(/[\\,$|]/g, '\\$&')))
    .join('&name=');
