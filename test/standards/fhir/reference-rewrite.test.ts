import { expect } from 'chai';
import { createReferenceRewriter } from '../../../src/standards/fhir/reference-rewrite.ts';
import { testDefinitions } from '../../support/definitions.ts';
import { generateResource } from '../../support/generate-resource.ts';

const A = 'urn:uuid:00000000-0000-4000-8000-00000000000a';
const definitions = testDefinitions();
const rewrite = createReferenceRewriter(definitions);
const toNew = (text: string): string | undefined => (text === A ? 'Patient/new' : undefined);

describe('reference-rewrite › https://hl7.org/fhir/R4/http.html#trules', () => {
  const cases: [string, object, object][] = [
    [
      'a reference',
      { resourceType: 'Observation', subject: { reference: A, display: 'x' } },
      { resourceType: 'Observation', subject: { reference: 'Patient/new', display: 'x' } },
    ],
    [
      'references in lists, one of which stays',
      { resourceType: 'Observation', performer: [{ reference: 'Practitioner/1' }, { reference: A }] },
      { resourceType: 'Observation', performer: [{ reference: 'Practitioner/1' }, { reference: 'Patient/new' }] },
    ],
    [
      'a reference in an extension, and in that of a primitive',
      {
        resourceType: 'Patient',
        extension: [{ url: 'u', extension: [{ url: 'v', valueReference: { reference: A } }] }],
        _birthDate: { extension: [{ url: 'u', valueReference: { reference: A } }] },
      },
      {
        resourceType: 'Patient',
        extension: [{ url: 'u', extension: [{ url: 'v', valueReference: { reference: 'Patient/new' } }] }],
        _birthDate: { extension: [{ url: 'u', valueReference: { reference: 'Patient/new' } }] },
      },
    ],
    [
      'references in contained resources, Parameters and Bundles',
      {
        resourceType: 'Bundle',
        entry: [{ resource: { resourceType: 'List', contained: [{ resourceType: 'Task', for: { reference: A } }] } }],
      },
      {
        resourceType: 'Bundle',
        entry: [
          {
            resource: {
              resourceType: 'List',
              contained: [{ resourceType: 'Task', for: { reference: 'Patient/new' } }],
            },
          },
        ],
      },
    ],
    [
      'uri, url and uuid',
      {
        resourceType: 'DocumentReference',
        content: [{ attachment: { url: A } }],
        extension: [
          { url: 'u', valueUuid: A },
          { url: 'u', valueUri: A },
        ],
      },
      {
        resourceType: 'DocumentReference',
        content: [{ attachment: { url: 'Patient/new' } }],
        extension: [
          { url: 'u', valueUuid: 'Patient/new' },
          { url: 'u', valueUri: 'Patient/new' },
        ],
      },
    ],
    [
      'href and src in narratives, of a section too',
      {
        resourceType: 'Composition',
        text: { div: `<div><a class="x" href="${A}">t</a><img alt='' src='${A}'/><b title="${A}">${A}</b></div>` },
        section: [{ text: { div: `<div><a href = "${A}"/></div>` } }],
      },
      {
        resourceType: 'Composition',
        text: {
          div: `<div><a class="x" href="Patient/new">t</a><img alt='' src="Patient/new"/><b title="${A}">${A}</b></div>`,
        },
        section: [{ text: { div: '<div><a href = "Patient/new"/></div>' } }],
      },
    ],
  ];
  for (const [title, given, expected] of cases)
    it(`replaces ${title}`, () => {
      const before = JSON.stringify(given);
      expect(rewrite(given, toNew)).to.eql(expected);
      expect(JSON.stringify(given)).to.equal(before);
    });

  const kept: [string, object][] = [
    ['canonicals', { resourceType: 'CarePlan', instantiatesCanonical: [A], meta: { profile: [A] } }],
    ['strings, codes and ids', { resourceType: 'Patient', id: A, identifier: [{ value: A }], name: [{ text: A }] }],
    ['elements that R4 does not have', { resourceType: 'Patient', other: { reference: A } }],
    ['types that R4 does not have', { resourceType: 'Foo', subject: { reference: A } }],
    [
      'other shapes',
      {
        resourceType: 'Patient',
        managingOrganization: A,
        generalPractitioner: { reference: 5 },
        link: [null, 'x', [A]],
      },
    ],
    ['other links', { resourceType: 'Patient', managingOrganization: { reference: 'Organization/1' } }],
  ];
  for (const [title, given] of kept)
    it(`leaves ${title}, and gives back the very same resource`, () => {
      expect(rewrite(given, toNew)).to.equal(given);
    });

  it('tells where a link was met, and shares what did not change', () => {
    const places: string[] = [];
    const given = {
      resourceType: 'Patient',
      identifier: [{ system: 'urn:oid:1.2' }],
      managingOrganization: { reference: 'Organization?x=y' },
      text: { div: '<div><a href="https://example.org/?a=1&amp;b=2"/></div>' },
    };
    const after = rewrite(given, (text, place) => {
      places.push(`${place} ${text}`);
      return place === 'narrative' ? 'https://example.org/"&<' : undefined;
    });
    expect(places).to.eql(['uri urn:oid:1.2', 'reference Organization?x=y', 'narrative https://example.org/?a=1&b=2']);
    expect(after.text.div).to.equal('<div><a href="https://example.org/&quot;&amp;&lt;"/></div>');
    expect(after.identifier).to.equal(given.identifier);
  });

  it('finds every Reference of every type', () => {
    for (const type of definitions.resourceTypes) {
      const resource = generateResource(definitions, type);
      const found: string[] = [];
      rewrite(resource, (text, place) => {
        if (place === 'reference') found.push(text);
        return undefined;
      });
      const all: unknown[] = [];
      JSON.stringify(resource, (key, value: unknown) => {
        if (
          key === 'reference' &&
          typeof value === 'string' &&
          /^(#|[A-Z][A-Za-z]+\/|https:\/\/example.org\/fhir\/)/.test(value)
        )
          all.push(value);
        return value;
      });
      expect(found.filter((t) => all.includes(t)).length, type).to.be.at.least(all.length);
    }
  });
});
