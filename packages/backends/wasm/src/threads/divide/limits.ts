/** Nanoseconds of work that a part must have: less costs more to hand over than it saves. */
export const leastPart = 10_000;
/** Nanoseconds from which a part is divided further, into so many for each thread at most: others can take what one leaves. */
export const longPart = 60_000;
export const mostPerThread = 4;
