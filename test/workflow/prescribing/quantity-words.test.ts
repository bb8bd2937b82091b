/** Quantities in words, as prescriptions for controlled drugs state them. */
import { expect } from 'chai';
import { quantityInWords } from '../../../src/workflow/prescribing/quantity-words.ts';

describe('prescribing › quantity in words', () => {
  for (const [quantity, words] of [
    [1, 'one'],
    [10, 'ten'],
    [19, 'nineteen'],
    [20, 'twenty'],
    [28, 'twenty eight'],
    [99, 'ninety nine'],
    [100, 'one hundred'],
    [101, 'one hundred and one'],
    [112, 'one hundred and twelve'],
    [250, 'two hundred and fifty'],
    [999, 'nine hundred and ninety nine'],
    [1000, 'one thousand'],
    [1001, 'one thousand and one'],
    [1250, 'one thousand two hundred and fifty'],
    [12_000, 'twelve thousand'],
    [120_034, 'one hundred and twenty thousand and thirty four'],
    [999_999, 'nine hundred and ninety nine thousand nine hundred and ninety nine'],
    [0.5, 'zero point five'],
    [2.5, 'two point five'],
    [7.25, 'seven point two five'],
    [0, undefined],
    [-1, undefined],
    [1_000_000, undefined],
    [0.0001, undefined],
    [1e-7, undefined],
    [Number.NaN, undefined],
    [Number.POSITIVE_INFINITY, undefined],
  ] as const)
    it(`${quantity} is ${words ?? 'no quantity'}`, () => expect(quantityInWords(quantity)).equal(words));
});
