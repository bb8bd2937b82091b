/**
 * Makes the copy of a record page by page: every page is a piece of the Bundle and the same piece of the HTML, and says
 * where the next one begins, so that nothing is ever held whole and a copy goes on where it stopped. SECURITY DP-03
 */
import type { CopyCounts, CopyForm, CopyProgress } from '../../ports/subject-access.ts';
import { formatJson } from '../../standards/fhir/json.ts';
import { deletedOf, messagesOf, visitsOf } from './beside-part.ts';
import { headingOf, pageArticle, pageFoot, pageHead, pageHeading, pageNote } from './page.ts';
import { type CopyRecordParts, type Found, resourcesOf } from './record-part.ts';

export interface CopyPage {
  readonly page: Readonly<Record<CopyForm, string>>;
  readonly done: CopyProgress;
}

type Count = keyof CopyCounts;

interface Step {
  readonly heading: string;
  readonly counts: Count;
  readonly find: (patientId: string, cursor: string | undefined) => Promise<Found>;
}

export const NOTHING_YET: CopyProgress = { page: 0, step: 0, counts: { resources: 0, messages: 0, visits: 0 } };

/** Returns what makes the page after `from`; undefined where there is none. */
export function createCopyRecord(
  parts: CopyRecordParts,
): (patientId: string, from: CopyProgress) => Promise<CopyPage | undefined> {
  const steps: readonly Step[] = [
    ...parts.types.map((type): Step => step(headingOf(type), 'resources', (...of) => resourcesOf(parts, type, ...of))),
    ...[...parts.beside].flatMap(([type, parameters]) =>
      parameters.map(
        (one): Step => step(headingOf(type), 'resources', (...of) => resourcesOf(parts, type, ...of, one)),
      ),
    ),
    step('What has been deleted', 'resources', (...of) => deletedOf(parts, ...of)),
    step('Messages about you', 'messages', (...of) => messagesOf(parts, ...of)),
    step('Who looked at your record', 'visits', (...of) => visitsOf(parts, ...of)),
  ];

  return async (patientId, from) => {
    const current = steps[from.step];
    if (!current) return undefined;
    const { items, next } = await current.find(patientId, from.cursor);
    const isLast = next === undefined && from.step === steps.length - 1;
    const counts = { ...from.counts, [current.counts]: from.counts[current.counts] + items.length };
    const isFirst = from.page === 0;
    const total = Object.values(from.counts).reduce((sum, one) => sum + one, 0);
    const entries = items.map(
      ({ fullUrl, resource }) => `{"fullUrl":${JSON.stringify(fullUrl)},"resource":${formatJson(resource)}}`,
    );
    const joined = entries.join(',\n');
    const made = parts.now();
    return {
      page: {
        bundle: [
          isFirst
            ? `{"resourceType":"Bundle","type":"collection","timestamp":"${new Date(made).toISOString()}","entry":[\n`
            : '',
          total > 0 && joined !== '' ? ',\n' : '',
          joined,
          isLast ? '\n]}\n' : '',
        ].join(''),
        html: [
          isFirst ? pageHead(made) : '',
          from.cursor === undefined && (items.length > 0 || current.counts !== 'resources')
            ? pageHeading(current.heading)
            : '',
          from.cursor === undefined && items.length === 0 && current.counts !== 'resources' ? pageNote('None.') : '',
          ...items.map(({ title, resource }) => pageArticle(title, resource)),
          isLast ? pageFoot : '',
        ].join(''),
      },
      done: {
        page: from.page + 1,
        step: next === undefined ? from.step + 1 : from.step,
        ...(next !== undefined && { cursor: next }),
        counts,
      },
    };
  };
}

const step = (heading: string, counts: Count, find: Step['find']): Step => ({ heading, counts, find });
