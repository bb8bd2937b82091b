/**
 * The conformance suite: every SHALL and SHOULD of https://hl7.org/fhir/R4/http.html and
 * https://hl7.org/fhir/R4/search.html, and of the pages on asynchronous requests and on FHIRPath Patch, row by row, and a
 * table of them by section at the end.
 */

import { loadDataSet } from '../rest/search/data-set.ts';
import { createFhirClient, type FhirClient, idOf } from '../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { ASYNC } from './async.ts';
import { DELETE_SEVERAL } from './delete-several.ts';
import { HTTP_BUNDLES } from './http-bundles.ts';
import { HTTP_CHANGE } from './http-change.ts';
import { HTTP_READ } from './http-read.ts';
import { HTTP_WRITE } from './http-write.ts';
import { PATH_PATCH } from './path-patch.ts';
import { SEARCH_LINKS } from './search-links.ts';
import { SEARCH_RESULTS } from './search-results.ts';
import { SEARCH_SPECIAL, SEARCH_WORDS } from './search-special.ts';
import { SEARCH_VALUES } from './search-values.ts';
import { type Names, runSteps, type Sentence } from './sentence.ts';

const SENTENCES: readonly Sentence[] = [
  ...HTTP_READ,
  ...HTTP_WRITE,
  ...HTTP_CHANGE,
  ...HTTP_BUNDLES,
  ...SEARCH_VALUES,
  ...SEARCH_LINKS,
  ...SEARCH_RESULTS,
  ...SEARCH_SPECIAL,
  ...SEARCH_WORDS,
  ...PATH_PATCH,
  ...DELETE_SEVERAL,
  ...ASYNC,
];
/** What has effect with other settings only. */
const SET_OTHERWISE: ReadonlySet<Sentence> = new Set([...SEARCH_WORDS, ...DELETE_SEVERAL]);
const OTHER_SETTINGS = { FULL_TEXT: 'all', CONDITIONAL_DELETE: 'multiple', CONDITIONAL_DELETE_MAX: '3' };

describe('conformance', () => {
  let server: TestServer;
  let fhir: FhirClient;
  let other: TestServer;
  let made: Names;
  const passed = new Set<Sentence>();

  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    await loadDataSet(fhir);
    const create = async (): Promise<string> =>
      idOf(await fhir.post('Patient', { resourceType: 'Patient', meta: { tag: [{ code: 'bench' }] } }));
    const [p, q, gone] = [await create(), await create(), await create()];
    await fhir.put(`Patient/${q}`, {
      resourceType: 'Patient',
      id: q,
      active: true,
      meta: { tag: [{ code: 'bench' }] },
    });
    await fhir.delete(`Patient/${gone}`);
    made = { p, q, gone, base: fhir.base };
    other = await startTestServer({ env: OTHER_SETTINGS });
  });
  after(async () => {
    await other?.stop();
    await server?.stop();
    process.stdout.write(`\n${table(passed)}\n`);
  });

  for (const name of new Set(SENTENCES.map((s) => s.section)))
    describe(name, () => {
      for (const [n, sentence] of SENTENCES.entries())
        if (sentence.section === name)
          it(`${sentence.level} ${sentence.says}${sentence.deviates === undefined ? '' : ` (deviates: ${sentence.deviates})`}`, async () => {
            const asked = SET_OTHERWISE.has(sentence) ? createFhirClient(other) : fhir;
            await runSteps(asked, sentence.steps, { ...made, n: String(n) });
            passed.add(sentence);
          });
    });
});

/** Passed of all, by section and level; those that deviate stand apart. */
function table(passed: ReadonlySet<Sentence>): string {
  const lines = [['section', 'SHALL', 'SHOULD', 'MAY', 'deviates']];
  const count = (rows: readonly Sentence[], level?: string): string => {
    const all = rows.filter((s) =>
      level === undefined ? s.deviates !== undefined : s.deviates === undefined && s.level === level,
    );
    return all.length === 0 ? '' : `${all.filter((s) => passed.has(s)).length}/${all.length}`;
  };
  const add = (name: string, rows: readonly Sentence[]): void =>
    void lines.push([name, count(rows, 'SHALL'), count(rows, 'SHOULD'), count(rows, 'MAY'), count(rows)]);
  for (const name of new Set(SENTENCES.map((s) => s.section)))
    add(
      name,
      SENTENCES.filter((s) => s.section === name),
    );
  add('all', SENTENCES);
  const [widest] = [Math.max(...lines.map(([name = '']) => name.length))];
  return lines
    .map(([name = '', ...cells]) => `  ${name.padEnd(widest)}${cells.map((cell) => cell.padStart(10)).join('')}`)
    .join('\n');
}
