/** A count with its noun: `1 picture`, `2,000 pictures`. */
export const plural = (count: number, thing: string): string =>
  `${count.toLocaleString('en-US')} ${thing}${count === 1 ? '' : 's'}`;
