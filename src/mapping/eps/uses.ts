/** What names, addresses and contact points are used for: FHIR's codes and those of V3, both ways. */

type Pairs = readonly (readonly [fhir: string, v3: string])[];

const ADDRESS: Pairs = [
  ['home', 'H'],
  ['work', 'WP'],
  ['temp', 'TMP'],
  ['billing', 'PST'],
];
const NAME: Pairs = [
  ['usual', 'L'],
  ['official', 'L'],
  ['temp', 'A'],
  ['anonymous', 'A'],
  ['nickname', 'PREFERRED'],
  ['old', 'PREVIOUS'],
  ['maiden', 'PREVIOUS-MAIDEN'],
];
const TELECOM: Pairs = [
  ['home', 'HP'],
  ['work', 'WP'],
  ['temp', 'HV'],
  ['mobile', 'MC'],
];
const SEX: Pairs = [
  ['male', '1'],
  ['female', '2'],
  ['other', '9'],
  ['unknown', '0'],
];

/** Of FHIR to V3. */
export const V3_ADDRESS_USE = new Map(ADDRESS);
export const V3_NAME_USE = new Map(NAME);
export const V3_TELECOM_USE = new Map(TELECOM);
export const V3_SEX = new Map(SEX);

/** The first of several that go to one comes back; other systems use codes besides. */
const reversed = (pairs: Pairs, besides: Pairs = []): ReadonlyMap<string, string> =>
  new Map([...besides, ...pairs.toReversed()].map(([fhir, v3]) => [v3, fhir]));

/** Of V3 to FHIR. */
export const FHIR_ADDRESS_USE = reversed(ADDRESS, [
  ['home', 'HP'],
  ['work', 'BP'],
]);
export const FHIR_NAME_USE = reversed(NAME, [
  ['old', 'PREVIOUS-BIRTH'],
  ['maiden', 'PREVIOUS-BACHELOR'],
]);
export const FHIR_TELECOM_USE = reversed(TELECOM, [
  ['home', 'H'],
  ['mobile', 'PG'],
]);
export const FHIR_SEX = reversed(SEX);
