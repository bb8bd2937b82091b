/** Well-formed documents of every kind that a tree can hold, made at random. */
import fc from 'fast-check';

const PREFIXES = ['', 'a', 'b', 'c'] as const;
const NAMESPACES = ['urn:one', 'urn:two', 'urn:three', 'urn:hl7-org:v3'] as const;
const NAMES = ['id', 'time', 'Agent', 'x-y.z', 'é', '_1'] as const;

/** Text with all that must be escaped, and characters beyond the first plane. */
const text: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom('a', ' ', '&', '<', '>', '"', "'", '\t', '\n', '\r', 'é', '𝒳', ']]>', '&amp;'),
  maxLength: 8,
});

interface Node {
  readonly name: string;
  readonly prefix: (typeof PREFIXES)[number];
  readonly declared: readonly (readonly [(typeof PREFIXES)[number], (typeof NAMESPACES)[number] | ''])[];
  readonly attributes: readonly (readonly [(typeof PREFIXES)[number], string, string])[];
  readonly children: readonly (Node | string)[];
}

const node: fc.Arbitrary<Node> = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.record({
    name: fc.constantFrom(...NAMES),
    prefix: fc.constantFrom(...PREFIXES),
    declared: fc.uniqueArray(fc.tuple(fc.constantFrom(...PREFIXES), fc.constantFrom(...NAMESPACES, '' as const)), {
      selector: ([prefix]) => prefix,
      maxLength: 3,
    }),
    attributes: fc.uniqueArray(fc.tuple(fc.constantFrom(...PREFIXES), fc.constantFrom(...NAMES), text), {
      // One name alone, as two prefixes may mean the same namespace.
      selector: ([, name]) => name,
      maxLength: 4,
    }),
    children: fc.array(fc.oneof({ depthSize: 'small', withCrossShrink: true }, text, tie('node')), { maxLength: 4 }),
  }),
})).node;

/** The document's source. Prefixes are bound where they are used; some are declared without use, or anew. */
export const document: fc.Arbitrary<string> = node.map((root) => `<?xml version="1.0"?>\n${source(root, new Map())}`);

function source(element: Node, scope: ReadonlyMap<string, string>): string {
  const own = new Map<string, string>();
  // A prefix cannot be unbound in XML 1.0, the default namespace can.
  for (const [prefix, namespace] of element.declared) if (prefix === '' || namespace !== '') own.set(prefix, namespace);
  const within = new Map([...scope, ...own]);
  for (const prefix of [element.prefix, ...element.attributes.map(([p]) => p)])
    if (prefix !== '' && !within.has(prefix)) {
      own.set(prefix, NAMESPACES[0]);
      within.set(prefix, NAMESPACES[0]);
    }
  const tag = element.prefix === '' ? element.name : `${element.prefix}:${element.name}`;
  const declarations = [...own].map(([prefix, namespace]) => ` xmlns${prefix && `:${prefix}`}="${namespace}"`);
  const attributes = element.attributes.map(
    ([prefix, name, value]) => ` ${prefix === '' ? name : `${prefix}:${name}`}='${escaped(value)}'`,
  );
  const children = element.children.map((child) =>
    typeof child === 'string' ? escaped(child) : source(child, within),
  );
  return `<${tag}${attributes.join('')}${declarations.join('')}\n>${children.join('')}</${tag}>`;
}

/** With references, so that no parser changes white space. */
const escaped = (value: string): string =>
  value.replaceAll(/[&<>'\t\n\r]/g, (character) => `&#${character.codePointAt(0)};`);
