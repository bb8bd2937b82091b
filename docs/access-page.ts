/** The parts of `docs/access.md` that are printed from src/policy. */

import { PERSON_ROLES, RIGHTS } from '../src/policy/rights.ts';

const START = '<!-- printed: rights -->';
const END = '<!-- end -->';

/** The page with its table of rights made anew. */
export function formatAccess(page: string): string {
  const [from, to] = [page.indexOf(START), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`docs/access.md has no ${START} … ${END}`);
  const head = `| right | ${PERSON_ROLES.join(' | ')} |\n|---|${'---|'.repeat(PERSON_ROLES.length)}`;
  const rows = Object.entries(RIGHTS).map(
    ([right, roles]) =>
      `| \`${right}\` | ${PERSON_ROLES.map((role) => (roles.includes(role) ? '✓' : '')).join(' | ')} |`,
  );
  return `${page.slice(0, from + START.length)}\n\n${head}\n${rows.join('\n')}\n\n${page.slice(to)}`;
}
