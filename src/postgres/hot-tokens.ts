/**
 * Hot tokens: parameters often used alone or with a sort by date. Their tokens are kept in `_n` in the order of the
 * main date as well (under the form without system; the system is a filter), so that a page is read in index order however
 * many match. docs/decisions/0003-storage.md
 */
export const HOT_TOKENS: ReadonlyMap<string, string> = new Map([
  ['Observation', 'code'],
  ['Condition', 'code'],
  ['DiagnosticReport', 'code'],
  ['Procedure', 'code'],
  ['MedicationRequest', 'status'],
  ['Task', 'status'],
]);
