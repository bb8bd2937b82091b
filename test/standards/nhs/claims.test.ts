import { expect } from 'chai';
import {
  acrValuesFor,
  authenticatorLevel,
  isIdentityProved,
  readCis2User,
} from '../../../src/standards/nhs/cis2-claims.ts';
import {
  isTheirRecord,
  proofingOf,
  readCitizen,
  vectorOf,
  vectorsFor,
} from '../../../src/standards/nhs/nhs-login-claims.ts';

const ROLE = {
  person_orgid: '555254239107',
  person_roleid: '555254240100',
  org_code: 'A83008',
  role_name: '"Clinical":"Clinical Provision":"Clinical Practitioner Access Role"',
  role_code: 'S8000:G8000:R8000',
  activity_codes: ['B0420', 'B0278', 7, 'x'],
};
const USER = { nhsid_useruid: '555254239107', name: 'Userq Randoma Mr', nhsid_nrbac_roles: [ROLE] };

describe('claims of NHS CIS2', () => {
  it('[NH-05] a user with their roles is read', () => {
    const orgs = [{ org_code: 'A83008', org_name: 'The Surgery' }];
    expect(readCis2User({}, { ...USER, nhsid_user_orgs: orgs, selected_roleid: '555254240100' })).deep.equal({
      sdsUserId: '555254239107',
      name: 'Userq Randoma Mr',
      selectedRoleId: '555254240100',
      roles: [
        {
          id: '555254240100',
          odsCode: 'A83008',
          roleCode: 'S8000:G8000:R8000',
          name: 'Clinical Practitioner Access Role',
          activityCodes: ['B0420', 'B0278'],
          organizationName: 'The Surgery',
        },
      ],
    });
  });

  for (const [title, change] of [
    ['an id of eleven digits', { person_roleid: '55525424010' }],
    ['no id', { person_roleid: undefined }],
    ['no organisation', { org_code: undefined }],
    ['a malformed organisation', { org_code: 'a83 008' }],
    ['a malformed job role', { role_code: 'doctor' }],
  ] as const)
    it(`[NH-05] [NH-10] a role with ${title} cannot be acted in`, () =>
      expect(readCis2User({}, { ...USER, nhsid_nrbac_roles: [{ ...ROLE, ...change }] })?.roles).deep.equal([]));

  it('[NH-05] roles of any other form are none, and a role listed twice is one', () => {
    for (const roles of [undefined, null, 'x', {}, [null, 1, 'x']])
      expect(readCis2User({}, { ...USER, nhsid_nrbac_roles: roles })?.roles).deep.equal([]);
    expect(readCis2User({}, { ...USER, nhsid_nrbac_roles: [ROLE, ROLE] })?.roles).length(1);
  });

  it('[NH-05] who has no SDS user id is nobody', () => {
    for (const id of [undefined, '1', 555254239107])
      expect(readCis2User({}, { ...USER, nhsid_useruid: id })).equal(undefined);
  });

  for (const [acr, level, expected] of [
    ['AAL3_ANY', '3', 3],
    ['AAL3_ANY', 3, 3],
    ['AAL2_ANY', '3', 2],
    ['AAL3_ANY', '2', 2],
    ['AAL2_OR_AAL3_ANY', '3', 2],
    ['AAL1_USERPASS', '1', 1],
    ['AAL3_ANY', undefined, 0],
    [undefined, '3', 0],
    ['XAAL3', '3', 0],
    ['AAL3_ANY', '33', 0],
  ] as const)
    it(`[NH-04] acr ${acr} and level ${level} prove level ${expected}`, () =>
      expect(authenticatorLevel({ acr, authentication_assurance_level: level })).equal(expected));

  it('[NH-04] the identity is proved from level 3 on', () => {
    for (const level of ['3', 3, '4']) expect(isIdentityProved({ id_assurance_level: level })).equal(true);
    for (const level of ['2', 0, undefined, null, '', 'high', '30'])
      expect(isIdentityProved({ id_assurance_level: level })).equal(false);
    expect([acrValuesFor(3), acrValuesFor(2)]).deep.equal(['AAL3_ANY', 'AAL2_OR_AAL3_ANY']);
  });
});

describe('claims of NHS login', () => {
  it('[NH-08] the level or higher is asked for, always with two factors', () => {
    expect(vectorsFor('P9')).deep.equal(['P9.Cp.Cd', 'P9.Cp.Ck', 'P9.Cm']);
    expect(vectorsFor('P5')).deep.equal(['P9.Cp.Cd', 'P9.Cp.Ck', 'P9.Cm', 'P5.Cp.Cd', 'P5.Cp.Ck', 'P5.Cm']);
  });

  it('[NH-08] only a vector that was asked for counts', () => {
    expect(vectorOf({ vot: 'P9.Cp.Cd' }, vectorsFor('P9'))).equal('P9.Cp.Cd');
    for (const vot of ['P5.Cp.Cd', 'P9.Cp', 'P0.Cp', undefined, ['P9.Cp.Cd']])
      expect(vectorOf({ vot }, vectorsFor('P9'))).equal(undefined);
  });

  for (const [vector, level, expected] of [
    ['P9.Cp.Cd', 'P9', 'P9'],
    ['P9.Cp.Cd', 'P5', 'P5'],
    ['P5.Cm', 'P9', 'P5'],
    ['P9.Cm', 'P0', 'P0'],
    ['P9.Cm', undefined, undefined],
    ['P9.Cm', 'P10', undefined],
    ['P90.Cm', 'P9', undefined],
  ] as const)
    it(`[NH-08] ${vector} with identity_proofing_level ${level} is ${expected}`, () =>
      expect(proofingOf(vector, level)).equal(expected));

  it('[NH-08] a citizen has an NHS number, a date of birth and a name, or is not looked for', () => {
    const right = { nhs_number: '9449304130', birthdate: '1984-02-29', family_name: 'Ashworth' };
    expect(readCitizen(right)).deep.equal({ nhsNumber: '9449304130', birthDate: '1984-02-29', family: 'Ashworth' });
    for (const wrong of [
      { nhs_number: '9449304131' },
      { nhs_number: undefined },
      { birthdate: '1984' },
      { family_name: ' ' },
      { family_name: undefined },
    ])
      expect(readCitizen({ ...right, ...wrong })).equal(undefined);
  });

  const CITIZEN = { nhsNumber: '9449304130', birthDate: '1984-02-29', family: "O'Brien-Müller" };
  const RECORD = { birthDate: '1984-02-29', name: [{ family: "O'Brien-Müller" }] };
  for (const [title, record, expected] of [
    ['all the same', RECORD, true],
    ['the name in other letters', { ...RECORD, name: [{ family: 'OBRIEN MULLER' }] }, true],
    ['another date of birth', { ...RECORD, birthDate: '1984-02-28' }, false],
    ['the year of birth alone', { ...RECORD, birthDate: '1984' }, false],
    ['no date of birth', { name: RECORD.name }, false],
    ['another name', { ...RECORD, name: [{ family: 'Brien' }] }, false],
    ['the name as an old one', { ...RECORD, name: [{ use: 'old', family: CITIZEN.family }] }, false],
    [
      'the name among others',
      { ...RECORD, name: [{ use: 'nickname' }, { use: 'official', family: CITIZEN.family }] },
      true,
    ],
    ['no name', { birthDate: RECORD.birthDate }, false],
    ['a record not in use', { ...RECORD, active: false }, false],
    ['a record that was replaced', { ...RECORD, link: [{ type: 'replaced-by' }] }, false],
    ['a person who has died', { ...RECORD, deceasedBoolean: true }, false],
    ['a person who has died on a day', { ...RECORD, deceasedDateTime: '2020' }, false],
  ] as const)
    it(`[NH-08] the record is theirs with ${title}: ${expected}`, () =>
      expect(isTheirRecord(record, CITIZEN)).equal(expected));
});
