import { expect } from 'chai';
import { code, compileFunction, join, literal, name } from '../../../src/standards/fhir/generate.ts';

describe('generate › IN-03', () => {
  for (const text of ['', 'a b', 'a;b', '1a', 'a.b', '_a', 'a\n', '__proto__', 'constructor()', 'ä', 'a$'])
    it(`refuses the name ${JSON.stringify(text)}`, () => expect(() => name(text)).to.throw('names that match'));

  it('takes nothing into a gap but checked code and numbers', () => {
    const forged = { text: 'process.exit()' };
    expect(() => code`${forged}`).to.throw('code made by generate.ts');
    expect(() => join([forged])).to.throw('code made by generate.ts');
    expect(() => code`${Number.NaN}`).to.throw('a finite number');
    expect(() => compileFunction([], forged)).to.throw('code made by generate.ts');
    expect(() => compileFunction(['a = 1'], code``)).to.throw('names that match');
  });

  it('is a tag, not a function of any string', () => {
    const strings = ['return 1'] as unknown as TemplateStringsArray;
    expect(() => code(strings)).to.throw('a template');
  });

  it('writes strings as literals', () => {
    const hostile = '"; process.exit(); //\u2028\\';
    const run = compileFunction<() => string>([], code`return ${literal(hostile)};`);
    expect(run()).to.equal(hostile);
  });

  it('makes a strict function of its parameters', () => {
    const add = compileFunction<(a: number, b: number) => number>(
      ['a', 'b'],
      code`return ${name('a')} + ${name('b')} + ${1};`,
    );
    expect(add(1, 2)).to.equal(4);
    const leak = compileFunction<() => void>([], code`undeclared = 1;`);
    expect(leak).to.throw(ReferenceError);
  });
});
