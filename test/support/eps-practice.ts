/** A practice that prescribes by EPS, for journeys with a Spine. */
import { PASSWORD, type Practice } from './prescribing.ts';

/** What EPS needs to know of who prescribes, and where. */
export async function completeForEps({ fhir }: Practice): Promise<void> {
  const put = async (resource: { resourceType: string; id: string }): Promise<void> => {
    const { status, body } = await fhir('PUT', `${resource.resourceType}/${resource.id}`, resource);
    if (status > 201) throw new Error(JSON.stringify(body));
  };
  const ods = (value: string): object[] => [{ system: 'https://fhir.nhs.uk/Id/ods-organization-code', value }];
  await put({
    resourceType: 'Organization',
    id: 'board',
    identifier: ods('Z999'),
    name: 'Riverside (invented)',
  } as never);
  const { body: surgery } = await fhir('GET', 'Organization/surgery');
  await put({
    ...surgery,
    type: [{ coding: [{ system: 'https://fhir.nhs.uk/CodeSystem/organisation-role', code: '76' }] }],
    telecom: [{ system: 'phone', value: '01632 960110', use: 'work' }],
    partOf: { reference: 'Organization/board' },
  });
  await put({
    resourceType: 'Practitioner',
    id: 'doc',
    identifier: [
      { system: 'https://fhir.nhs.uk/Id/sds-user-id', value: '999000000101' },
      { system: 'https://fhir.hl7.org.uk/Id/gmc-number', value: 'C9990001' },
    ],
    name: [{ family: 'Penhallow', given: ['Idris'], prefix: ['Dr'] }],
  } as never);
  await put({
    resourceType: 'PractitionerRole',
    id: 'doc-role',
    identifier: [{ system: 'https://fhir.nhs.uk/Id/sds-role-profile-id', value: '999000000202' }],
    practitioner: { reference: 'Practitioner/doc' },
    organization: { reference: 'Organization/surgery' },
    code: [
      {
        coding: [
          {
            system: 'https://fhir.nhs.uk/CodeSystem/NHSDigital-SDS-JobRoleCode',
            code: 'S8000:G8000:R8000',
            display: 'Clinical Practitioner Access Role',
          },
        ],
      },
    ],
    telecom: [{ system: 'phone', value: '01632 960111', use: 'work' }],
  } as never);
}

/** Asks until there is an answer; throws after a while. */
export async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let i = 0; i < 600; i++) {
    const found = await ask();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('it does not come about');
}

/** Somebody whom the Spine knows as a pharmacist of the pharmacy: `petra` signs in, dispenses, and is named to it. */
export async function addDispenser({
  server,
  fhir,
}: Pick<Practice, 'fhir'> & { readonly server: { url: string; bearer: Record<string, string> } }): Promise<void> {
  const put = async (resource: { resourceType: string; id: string }): Promise<void> => {
    const { status, body } = await fhir('PUT', `${resource.resourceType}/${resource.id}`, resource);
    if (status > 201) throw new Error(JSON.stringify(body));
  };
  await put({
    resourceType: 'Practitioner',
    id: 'petra',
    identifier: [{ system: 'https://fhir.nhs.uk/Id/sds-user-id', value: '999000000113' }],
    name: [{ family: 'Lindqvist', given: ['Petra'], prefix: ['Ms'] }],
  } as never);
  await put({
    resourceType: 'PractitionerRole',
    id: 'petra-role',
    identifier: [{ system: 'https://fhir.nhs.uk/Id/sds-role-profile-id', value: '999000000301' }],
    practitioner: { reference: 'Practitioner/petra' },
    organization: { reference: 'Organization/pharmacy' },
    code: [
      {
        coding: [
          {
            system: 'https://fhir.nhs.uk/CodeSystem/NHSDigital-SDS-JobRoleCode',
            code: 'S8000:G8000:R8003',
            display: 'Health Professional Access Role',
          },
        ],
      },
    ],
    telecom: [{ system: 'phone', value: '01632 960500', use: 'work' }],
  } as never);
  const answer = await fetch(`${server.url}/api/v2/admin/users`, {
    method: 'POST',
    headers: { ...server.bearer, 'content-type': 'application/json' },
    body: JSON.stringify({
      name: 'petra',
      email: 'petra@example.org',
      password: PASSWORD,
      roles: ['PHARMACIST'],
      practitioner_id: 'petra',
      practitioner_role_ids: ['petra-role'],
      organization_ids: ['pharmacy'],
    }),
  });
  if (answer.status !== 201) throw new Error(`user petra: ${answer.status} ${await answer.text()}`);
}
