import { expect } from 'chai';
import { readConfig } from '../../../src/config.ts';

const CIS2 = {
  CIS2_ISSUER: 'https://am.example.org:443/openam/oauth2/realms/oidc',
  CIS2_CLIENT_ID: '999999999999.apps.national',
  CIS2_KEY_FILE: 'cis2.key',
  CIS2_ROLES_FILE: 'roles.json',
};
const LOGIN = {
  NHS_LOGIN_ISSUER: 'https://auth.example.org',
  NHS_LOGIN_CLIENT_ID: 'mortar',
  NHS_LOGIN_KEY_FILE: 'login.key',
};

describe('settings of sign-in through the NHS', () => {
  it('[NH-04] without them it is off; with them the highest levels are asked for', () => {
    expect(readConfig({})).include({ cis2Issuer: undefined, nhsLoginIssuer: undefined });
    const config = readConfig({ ...CIS2, ...LOGIN, SIGN_IN_HOSTS: 'id.local:8443, [::1]:9' });
    expect(config).include({ cis2Level: 'AAL3', nhsLoginLevel: 'P9', cis2Issuer: CIS2.CIS2_ISSUER });
    expect([...(config.signInHosts ?? [])]).deep.equal(['id.local:8443', '[::1]:9']);
  });

  for (const name of [...Object.keys(CIS2), ...Object.keys(LOGIN)])
    it(`[NH-04] ${name} does not go missing alone`, () => {
      const { [name as keyof typeof CIS2]: _one, ...rest } = { ...CIS2, ...LOGIN };
      expect(() => readConfig(rest)).throw(/are given together or not at all/);
    });

  for (const [name, value] of [
    ['CIS2_ISSUER', 'am.example.org'],
    ['CIS2_ISSUER', 'https://user@am.example.org'],
    ['CIS2_ISSUER', 'https://am.example.org?x'],
    ['CIS2_CLIENT_ID', 'two words'],
    ['CIS2_LEVEL', 'AAL1'],
    ['NHS_LOGIN_LEVEL', 'P0'],
    ['SIGN_IN_HOSTS', 'id.local'],
    ['SIGN_IN_HOSTS', 'https://id.local:1'],
  ] as const)
    it(`[NH-04] ${name} may not be ${value}`, () =>
      expect(() => readConfig({ ...CIS2, ...LOGIN, [name]: value })).throw(new RegExp(name)));
});
