/** Worlds of patients who are named in each other's records, with planted values that tell whose they are. SECURITY DP-03 */
import type { Resource } from '../../../src/ports/resource-store.ts';
import { BASE_URL } from '../../support/policy-store.ts';

/** Where values are planted that the copy of their owner must hold. */
export const OWN = [
  ...['family', 'code0', 'value1', 'condition0', 'relation1', 'containedrelation0', 'inherited', 'procedure0'],
  ...['guidance0', 'contract1', 'task0', 'verified1'],
];
const MESSAGE = '00000000-0000-4000-8000-0000000000aa';

const div = (words: string) => ({
  status: 'generated',
  div: `<div xmlns="http://www.w3.org/1999/xhtml">${words}</div>`,
});
export const idOf = (who: number): string => `p${who}`;
/** A value that stands nowhere but where it is planted. */
export const plant = (who: number, where: string): string => `Zq${who}x${where}`;
const to = (who: number, where: string, isNamed = true): Resource =>
  ({
    reference: isNamed ? `Patient/${idOf(who)}` : `${BASE_URL}/Patient/${idOf(who)}`,
    display: plant(who, where),
    identifier: { system: 'urn:planted', value: plant(who, `${where}id`) },
  }) as unknown as Resource;

/** What is about one patient, with others named wherever a reference can stand. */
export function about(who: number, other: number, n: number): Resource[] {
  const id = `${idOf(who)}-${n}`;
  const own = { reference: `Patient/${idOf(who)}` };
  const words = (where: string): string => plant(who, `${where}${n}`);
  return [
    {
      resourceType: 'Observation',
      id: `obs-${id}`,
      status: 'final',
      text: div(plant(other, 'told')),
      code: { text: words('code') },
      subject: own,
      valueString: words('value'),
      note: [{ text: words('note') }],
      hasMember: [{ reference: `Observation/obs-${idOf(other)}-0`, display: plant(other, 'member') }],
      performer: [{ display: plant(other, 'performer') }, { reference: 'Practitioner/gp', display: 'Dr Kept' }],
    },
    {
      resourceType: 'RelatedPerson',
      id: `rel-${id}`,
      patient: own,
      name: [{ family: plant(other, 'mother') }],
      telecom: [{ system: 'phone', value: plant(other, 'phone') }],
      address: [{ text: plant(other, 'home') }],
      relationship: [{ text: words('mother') }],
    },
    {
      resourceType: 'Condition',
      id: `con-${id}`,
      subject: own,
      code: { text: words('condition') },
      asserter: { reference: `RelatedPerson/rel-${id}`, display: plant(other, 'asserter') },
      extension: [{ url: 'http://example.org/x', valueReference: to(other, 'extension') }],
      text: div(plant(other, 'said')),
      contained: [
        { resourceType: 'RelatedPerson', id: 'c', patient: own, name: [{ family: plant(other, 'contained') }] },
        history(who, other, 'f', words('containedrelation')),
      ],
      evidence: [{ detail: ['#c', '#f'].map((reference) => ({ reference, display: plant(other, 'evidence') })) }],
    },
    // Nothing in it is about anybody else, and it says itself what it holds.
    {
      resourceType: 'Procedure',
      id: `prc-${id}`,
      status: 'completed',
      subject: own,
      text: div(words('narrative')),
      code: { text: words('procedure') },
    },
    history(who, other, `fam-${id}`, words('relation')),
    // R4 has these in no compartment.
    {
      resourceType: 'GuidanceResponse',
      id: `gui-${id}`,
      status: 'success',
      moduleUri: 'urn:planted',
      subject: own,
      note: [{ text: words('guidance') }],
    },
    { resourceType: 'Contract', id: `ctr-${id}`, subject: [own], title: words('contract') },
    {
      resourceType: 'Task',
      id: `tsk-${id}`,
      status: 'requested',
      intent: 'order',
      for: own,
      owner: own,
      description: words('task'),
    },
    {
      resourceType: 'VerificationResult',
      id: `ver-${id}`,
      status: 'attested',
      target: [own],
      frequency: { code: { text: words('verified') } },
    },
  ] as Resource[];
}

/** What a relative had, told with who the relative is. */
const history = (who: number, other: number, id: string, relation: string): Resource =>
  ({
    resourceType: 'FamilyMemberHistory',
    id,
    status: 'completed',
    patient: { reference: `Patient/${idOf(who)}` },
    name: plant(other, 'relative'),
    bornString: plant(other, 'born'),
    deceasedString: plant(other, 'died'),
    relationship: { text: relation },
    note: [{ text: plant(other, 'historynote') }],
    condition: [{ code: { text: plant(who, 'inherited') }, note: [{ text: plant(other, 'course') }] }],
    ...(id !== 'f' && { text: div(plant(other, 'historytext')) }),
  }) as unknown as Resource;

export function shared(n: number, people: readonly number[]): Resource[] {
  const named = people.map((who) => idOf(who)).join('-');
  const each = <T>(make: (who: number) => T): T[] => people.map(make);
  const all = people.map((who) => plant(who, 'all')).join(' ');
  return [
    {
      resourceType: 'Group',
      id: `grp-${named}-${n}`,
      type: 'person',
      actual: true,
      name: all,
      text: div(all),
      characteristic: each((who) => ({
        code: { text: plant(who, 'trait') },
        valueReference: to(who, 'trait'),
        exclude: false,
      })),
      member: each((who) => ({ entity: to(who, 'entity'), inactive: false })),
    },
    {
      resourceType: 'Appointment',
      id: `app-${named}-${n}`,
      status: 'booked',
      start: '2026-01-05T09:00:00Z',
      end: '2026-01-05T09:20:00Z',
      description: all,
      comment: all,
      patientInstruction: all,
      reasonCode: [{ text: all, coding: [{ display: all }] }],
      participant: each((who) => ({ actor: to(who, 'actor', n % 2 === 0), status: 'accepted' })),
    },
    {
      resourceType: 'List',
      id: `lst-${named}-${n}`,
      status: 'current',
      mode: 'working',
      title: all,
      subject: to(people[0] as number, 'subject'),
      note: [{ text: all }],
      entry: each((who) => ({ item: to(who, 'item'), flag: { text: plant(who, 'flag') } })),
    },
    {
      resourceType: 'Communication',
      id: `com-${named}-${n}`,
      status: 'completed',
      subject: to(people[0] as number, 'subject'),
      recipient: each((who) => to(who, 'recipient')),
      payload: [{ contentString: all }],
    },
    {
      resourceType: 'Provenance',
      id: `pro-${named}-${n}`,
      target: each((who) => to(who, 'target')),
      recorded: '2026-01-01T00:00:00Z',
      agent: each((who) => ({ who: to(who, 'agent') })),
      entity: [{ role: 'source', what: { identifier: { value: `urn:uuid:${MESSAGE}` } } }],
    },
    {
      resourceType: 'Person',
      id: `per-${named}-${n}`,
      name: [{ text: all }],
      link: each((who) => ({ target: to(who, 'link') })),
    },
    {
      resourceType: 'Observation',
      id: `foc-${named}-${n}`,
      status: 'final',
      code: { text: all },
      subject: to(people[0] as number, 'subject'),
      focus: each((who) => to(who, 'focus')),
      valueString: all,
      component: each((who) => ({
        code: { text: plant(who, 'component') },
        valueString: plant(who, 'componentvalue'),
      })),
    },
  ] as unknown as Resource[];
}

export const patient = (who: number, other: number): Resource => ({
  resourceType: 'Patient',
  id: idOf(who),
  identifier: [{ system: 'urn:planted', value: plant(who, 'number') }],
  name: [{ family: plant(who, 'family') }],
  text: div(`${plant(who, 'family')}, next of kin ${plant(other, 'kin')}`) as unknown as string,
  contact: [
    {
      name: { family: plant(other, 'contact') },
      telecom: [{ system: 'phone', value: plant(other, 'contactphone') }],
    },
  ],
  link: [{ other: to(other, 'linked'), type: 'seealso' }],
});

/** The message that the shared Provenance names. */
export const message = (people: readonly number[]): Resource =>
  ({
    resourceType: 'Bundle',
    type: 'transaction',
    entry: people.flatMap((who) => [
      {
        fullUrl: `urn:uuid:message-${who}`,
        resource: {
          resourceType: 'Patient',
          identifier: [{ system: 'urn:planted', value: plant(who, 'number') }],
          name: [{ family: plant(who, 'messagefamily') }],
        },
      },
      {
        fullUrl: `urn:uuid:nk1-${who}`,
        resource: {
          resourceType: 'RelatedPerson',
          patient: { reference: `urn:uuid:message-${who}` },
          name: [{ family: plant(people[(people.indexOf(who) + 1) % people.length] as number, 'nk1') }],
        },
      },
      {
        fullUrl: `urn:uuid:note-${who}`,
        resource: {
          resourceType: 'Observation',
          status: 'final',
          code: { text: plant(who, 'messagecode') },
          subject: { reference: `urn:uuid:message-${who}` },
        },
      },
    ]),
  }) as unknown as Resource;
