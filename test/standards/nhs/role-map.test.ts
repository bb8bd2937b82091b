import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { mapRole, parseRoleMap } from '../../../src/standards/nhs/role-map.ts';

const MAP = parseRoleMap(
  JSON.stringify({
    roles: [
      { roleCodes: ['R8000'], grants: ['DOCTOR'] },
      { activityCodes: ['B0420', 'B0440'], grants: ['PRESCRIBER'] },
      { roleCodes: ['S8000:G8001:R8004'], activityCodes: ['B0572'], grants: ['PHARMACIST'] },
      { roleCodes: ['R8010'], grants: ['RECEPTIONIST', 'STAFF'], about: 'front desk' },
    ],
  }),
);

describe('roles of the national directory', () => {
  for (const [roleCode, activityCodes, expected] of [
    ['S8000:G8000:R8000', [], ['DOCTOR']],
    ['R8000', [], ['DOCTOR']],
    ['S8000:G8000:R8000', ['B0420'], ['DOCTOR', 'PRESCRIBER']],
    ['S8000:G8001:R8001', ['B0440', 'B0420'], ['PRESCRIBER']],
    ['S8000:G8001:R8004', ['B0572'], ['PHARMACIST']],
    ['S8000:G8001:R8004', ['B0570'], []],
    ['S9999:G9999:R8004', ['B0572'], []],
    ['S8000:G8003:R8010', ['B0001'], ['RECEPTIONIST', 'STAFF']],
    ['S8000:G8000:R8001', ['B0001'], []],
    ['R800', ['B042'], []],
    ['', [], []],
  ] as const)
    it(`[NH-06] ${roleCode || 'no code'} with ${activityCodes.join(' ') || 'no activity'} gives ${expected.join(' ') || 'nothing'}`, () =>
      expect(mapRole(MAP, { roleCode, activityCodes })).deep.equal(expected));

  for (const [title, value, fault] of [
    ['no JSON', '{', /not JSON/],
    ['no list', {}, /roles must be a list/],
    ['an empty list', { roles: [] }, /roles must be a list/],
    ['a row that names no code', { roles: [{ grants: ['STAFF'] }] }, /roles\[0\] names neither/],
    ['a row that gives nothing', { roles: [{ roleCodes: ['R8000'] }] }, /roles\[0\]\.grants is missing/],
    ['an administrator', { roles: [{ roleCodes: ['R8000'], grants: ['ADMIN'] }] }, /grants must be one of DOCTOR/],
    ['a patient', { roles: [{ roleCodes: ['R8000'], grants: ['PATIENT'] }] }, /grants must be one of/],
    ['a code of another form', { roles: [{ roleCodes: ['8000'], grants: ['STAFF'] }] }, /roleCodes must be a code/],
    [
      'a code twice',
      { roles: [{ activityCodes: ['B0420', 'B0420'], grants: ['STAFF'] }] },
      /must not name anything twice/,
    ],
    [
      'a member that is misspelt',
      { roles: [{ roleCode: ['R8000'], roleCodes: ['R8000'], grants: ['STAFF'] }] },
      /roleCode is not known/,
    ],
    [
      'a member besides',
      { roles: [{ roleCodes: ['R8000'], grants: ['STAFF'] }], default: 'STAFF' },
      /default is not known/,
    ],
    ['rows that are no objects', { roles: ['R8000'] }, /roles\[0\] must be an object/],
  ] as const)
    it(`[NH-06] a table with ${title} is refused`, () =>
      expect(() => parseRoleMap(typeof value === 'string' ? value : JSON.stringify(value))).throw(fault));

  it('[NH-06] every fault is named', () => {
    const text = JSON.stringify({ roles: [{ roleCodes: ['x'] }, { grants: ['X'] }] });
    expect(() => parseRoleMap(text)).throw(
      /roles\[0\]\.roleCodes .*roles\[0\]\.grants .*roles\[1\]\.grants .*roles\[1\] names/,
    );
  });

  it('[NH-06] the table of docs/nhs-sign-in.md can be used', () => {
    const document = readFileSync(join(import.meta.dirname, '../../../docs/nhs-sign-in.md'), 'utf8');
    const [, example = ''] = /```json\n([\s\S]*?)```/.exec(document) ?? [];
    expect(parseRoleMap(example).roles.length).greaterThan(3);
  });
});
