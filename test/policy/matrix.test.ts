/** SECURITY AZ-10: what each role may do with each type, as a text that is reviewed when it changes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { search } from '../../src/policy/filters.ts';
import { createPolicy } from '../../src/policy/policy.ts';
import { patientsOfFacility, relatedPatients } from '../../src/policy/relation.ts';
import { RIGHTS } from '../../src/policy/rights.ts';
import { GRANTS } from '../../src/policy/roles.ts';
import type { Caller, CallerUser, Role } from '../../src/ports/caller.ts';
import type { ConsentAsker, Filter } from '../../src/ports/policy.ts';
import { STORED_TYPES } from '../../src/postgres/tables.ts';
import type { Letter } from '../../src/standards/smart/scope.ts';
import { client, person } from '../support/callers.ts';
import { isPatientType, mayNamePatients, START } from '../support/policy-store.ts';

const FILE = join(import.meta.dirname, 'matrix.txt');
const LETTERS: readonly Letter[] = ['c', 'r', 'u', 'd', 's'];
const policy = createPolicy({ isPatientType, mayNamePatients, now: () => START });

/** A filter on one line. */
function formatFilter(filter: Filter): string {
  const list = (of: readonly Filter[]): string => of.map(formatFilter).join(', ');
  switch (filter.kind) {
    case 'everything':
      return 'all';
    case 'nothing':
      return 'none';
    case 'any':
      return `any(${list(filter.of)})`;
    case 'all':
      return `each(${list(filter.of)})`;
    case 'search':
      return `?${filter.query}`;
    case 'id':
      return `id ${filter.ids.join(' ')}`;
    case 'compartment':
      return `of ${filter.patientIds.join(' ')}`;
    case 'patient':
      return `patient(${formatFilter(filter.of)})`;
    case 'attached':
      return `attached to ${filter.type}(${formatFilter(filter.of)})`;
    case 'context':
      return `in context of ${filter.type}(${formatFilter(filter.of)})`;
    case 'undenied':
      return `undenied(${filter.asker.action} by ${formatAsker(filter.asker)})`;
    case 'permitted':
      return `permitted(${filter.asker.action} by ${formatAsker(filter.asker)}${filter.isByPatient ? ', by the patient' : ''}; named: ${filter.labels.join()})`;
    case 'referred':
      return `by ${filter.type}.${filter.parameter}(${formatFilter(filter.of)})`;
  }
}

const formatAsker = ({ actors, purposes = ['any purpose'] }: ConsentAsker): string =>
  `${actors.join()} for ${purposes.join()}`;

const OURS = {
  practitioner: 'me',
  practitionerRoles: ['my-role'],
  organizations: ['ours'],
  patients: ['self'],
  emergency: ['urgent'],
  lawful: ['lawful'],
};
const { user } = person('SYSTEM', OURS) as { user: CallerUser };

/** Filters that many rights are made of, by a name. */
const PHRASES: readonly (readonly [name: string, filter: Filter])[] = [
  ['RELATED', relatedPatients(user, START, 30)],
  ['FACILITY', patientsOfFacility(user)],
  ['UNLABELLED', search('_security:not=R,V,L,_LEGAL,SEX,HIV,PSY,ETH,SDV,SUD')],
  ['UNSEALED', search('_security:not=L,_LEGAL')],
];
const inner = (filter: Filter): string => formatFilter(filter).replace(/^any\((.*)\)$/, '$1');
const shorten = (text: string): string =>
  PHRASES.reduce((short, [name, filter]) => short.replaceAll(inner(filter), name), text);

/** Types with the same rights stand together. */
function sectionOf(title: string, caller: Caller): string[] {
  const groups = new Map<string, string[]>();
  for (const type of STORED_TYPES) {
    const byFilter = new Map<string, string>();
    for (const letter of LETTERS) {
      const filter = shorten(formatFilter(policy.filterFor(caller, type, letter)));
      if (filter !== 'none') byFilter.set(filter, (byFilter.get(filter) ?? '') + letter);
    }
    const rights = [...byFilter].map(([filter, letters]) => `    ${letters}: ${filter}`).join('\n') || '    nothing';
    groups.set(rights, [...(groups.get(rights) ?? []), type]);
  }
  const parts = [...groups].map(([rights, types]) => `  ${types.join(' ')}\n${rights}`);
  return [`${title}`, ...parts, ''];
}

function matrix(): string {
  const roles = Object.keys(GRANTS) as Role[]; // the table has every role
  const held = (caller: Caller): string =>
    Object.keys(RIGHTS)
      .filter((right) => policy.allows(caller, right).allowed)
      .join(' ');
  return [
    'What callers may do with each type (c r u d s), and with which resources of it.',
    'Made by test/policy/matrix.test.ts; UPDATE_MATRIX=1 writes it anew.',
    '',
    ...PHRASES.map(([name, filter]) => `${name} = ${inner(filter)}`),
    '',
    ...roles.flatMap((role) => {
      const caller = person(role, OURS);
      return [...sectionOf(role, caller), `  rights: ${held(caller) || 'none'}`, ''];
    }),
    ...sectionOf(
      'patient/*.cruds, held by the patient',
      person('PATIENT', { patients: ['self'], patient: 'self', scopes: 'patient/*.cruds' }),
    ),
    ...sectionOf(
      'patient/*.cruds, held by a doctor',
      person('DOCTOR', { ...OURS, patients: [], emergency: [], patient: 'other', scopes: 'patient/*.cruds' }),
    ),
    ...sectionOf('system/Observation.rs?category=laboratory', client('system/Observation.rs?category=laboratory')),
    ...sectionOf('nobody', person([], {})),
  ].join('\n');
}

describe('policy › matrix', () => {
  it('[AZ-10] roles × types × letters are those of matrix.txt', () => {
    const now = matrix();
    if (process.env['UPDATE_MATRIX'] !== undefined) writeFileSync(FILE, now);
    expect(now).to.equal(readFileSync(FILE, 'utf8'));
  });
});
