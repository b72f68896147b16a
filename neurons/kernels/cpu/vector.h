// Vectors of real numbers, and the functions that a step may use, on any compiler with GCC's vector extensions.
// REAL_BITS is 32 or 64. Comparisons give masks: all bits set where they hold.
//
// Input and output hold items: reals, or with ITEM_BITS 16 bfloat16, the upper half of a float, rounded to nearest even.

#include <math.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline, unused))

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define VECTOR_BYTES 64
#else
#define VECTOR_BYTES 32
#endif
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if REAL_BITS == 32
typedef float real;
typedef int32_t integer;
#define LIBM(name) name##f
#else
typedef double real;
typedef int64_t integer;
#define LIBM(name) name
#endif

#define R(number) ((real)(number))
#define WIDTH ((int64_t)(VECTOR_BYTES / sizeof(real)))

typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef integer mask __attribute__((vector_size(VECTOR_BYTES)));

INLINE vec splat(real value) { return value - (vec){0}; }

#if ITEM_BITS == 16
typedef uint16_t item;
typedef uint16_t items __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef uint32_t bits __attribute__((vector_size(VECTOR_BYTES)));

INLINE vec widen(items value) { return (vec)(__builtin_convertvector(value, bits) << 16); }

INLINE items narrow(vec value) {
    const bits own = (bits)value, rounded = (own + 0x7fff + ((own >> 16) & 1)) >> 16;
    const bits nan = (bits)(value != value);
    return __builtin_convertvector((rounded & ~nan) | (0x7fc0 & nan), items);
}
#else
typedef real item;
typedef vec items;

INLINE vec widen(items value) { return value; }
INLINE items narrow(vec value) { return value; }
#endif

INLINE vec load(const item *from, int64_t count) {
    items value = {0};
    if (count == WIDTH)
        memcpy(&value, from, sizeof value);
    else
        memcpy(&value, from, (size_t)count * sizeof(item));
    return widen(value);
}

INLINE void store(item *to, vec value, int64_t count) {
    const items narrowed = narrow(value);
    if (count == WIDTH)
        memcpy(to, &narrowed, sizeof narrowed);
    else
        memcpy(to, &narrowed, (size_t)count * sizeof(item));
}

// The same of reals, which states are whatever the items are.
INLINE vec load_reals(const real *from, int64_t count) {
    vec value = {0};
    memcpy(&value, from, count == WIDTH ? sizeof value : (size_t)count * sizeof(real));
    return value;
}

INLINE void store_reals(real *to, vec value, int64_t count) {
    memcpy(to, &value, count == WIDTH ? sizeof value : (size_t)count * sizeof(real));
}

// To memory without a place in the cache; `to` is aligned.
#define ITEMS_BYTES (VECTOR_BYTES / (REAL_BITS / ITEM_BITS))
INLINE void store_past_cache(item *to, vec value) {
    const items narrowed = narrow(value);
#if defined(__AVX2__) && ITEMS_BYTES == 64
    _mm512_stream_si512((__m512i *)to, (__m512i)narrowed);
#elif defined(__AVX2__) && ITEMS_BYTES == 32
    _mm256_stream_si256((__m256i *)to, (__m256i)narrowed);
#elif defined(__AVX2__) && ITEMS_BYTES == 16
    _mm_stream_si128((__m128i *)to, (__m128i)narrowed);
#else
    memcpy(to, &narrowed, sizeof narrowed);
#endif
}

// The first `count` lanes, zeros beyond.
INLINE vec only(vec value, int64_t count) {
    for (int64_t lane = count; lane < WIDTH; lane++)
        value[lane] = 0;
    return value;
}

// One instruction each, which compilers do not find by themselves. max and min give back their second operand for NaN.
#if VECTOR_BYTES == 64 && REAL_BITS == 32
INLINE vec choose_vec(mask where, vec yes, vec no) { return (vec)_mm512_ternarylogic_epi32((__m512i)where, (__m512i)yes, (__m512i)no, 0xca); }
INLINE vec vec_clamp_min(vec value, vec low) { return (vec)_mm512_max_ps((__m512)low, (__m512)value); }
INLINE vec vec_clamp_max(vec value, vec high) { return (vec)_mm512_min_ps((__m512)high, (__m512)value); }
INLINE vec multiply_add(vec a, vec b, vec c) { return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
#elif defined(__AVX2__) && defined(__FMA__) && REAL_BITS == 32
INLINE vec choose_vec(mask where, vec yes, vec no) { return (vec)_mm256_blendv_ps((__m256)no, (__m256)yes, (__m256)where); }
INLINE vec vec_clamp_min(vec value, vec low) { return (vec)_mm256_max_ps((__m256)low, (__m256)value); }
INLINE vec vec_clamp_max(vec value, vec high) { return (vec)_mm256_min_ps((__m256)high, (__m256)value); }
INLINE vec multiply_add(vec a, vec b, vec c) { return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
#else
INLINE vec choose_vec(mask where, vec yes, vec no) { return (vec)(((mask)yes & where) | ((mask)no & ~where)); }
INLINE vec vec_clamp_min(vec value, vec low) { return choose_vec(value < low, low, value); }
INLINE vec vec_clamp_max(vec value, vec high) { return choose_vec(value > high, high, value); }
INLINE vec multiply_add(vec a, vec b, vec c) { return a * b + c; }
#endif

// A number where a vector is expected becomes one by arithmetic: x - 0 keeps every value, -0 and NaN included.
#define VEC(value) ((value) - (vec){0})
#define choose(where, yes, no) choose_vec((where), VEC(yes), VEC(no))
#define truth(where) ((vec)((mask)splat(R(1.0)) & (where)))

// NaN in the value goes through, as in torch.
#define clamp_min(value, low) vec_clamp_min((value), VEC(low))
#define clamp_max(value, high) vec_clamp_max((value), VEC(high))
INLINE mask is_nan(vec value) { return value != value; }
INLINE vec vec_abs(vec value) { return (vec)((mask)value & ~(mask)splat(R(-0.0))); }
INLINE mask is_inf(vec value) { return vec_abs(value) == R(INFINITY); }
INLINE vec square(vec value) { return value * value; }
INLINE vec vec_sign(vec value) { return truth(value > R(0.0)) - truth(value < R(0.0)); }
#define vec_maximum(a, b) maximum_of(VEC(a), VEC(b))
#define vec_minimum(a, b) minimum_of(VEC(a), VEC(b))
INLINE vec maximum_of(vec a, vec b) { return choose_vec((a > b) | is_nan(a), a, b); }
INLINE vec minimum_of(vec a, vec b) { return choose_vec((a < b) | is_nan(a), a, b); }

// Functions of the C library, element by element.
#define ELEMENTWISE(name, function)                                                                                    \
    INLINE vec vec_##name(vec value) {                                                                                 \
        for (int i = 0; i < WIDTH; i++)                                                                                \
            value[i] = LIBM(function)(value[i]);                                                                       \
        return value;                                                                                                  \
    }
ELEMENTWISE(expm1, expm1)
ELEMENTWISE(log, log)
ELEMENTWISE(log1p, log1p)
ELEMENTWISE(log2, log2)
ELEMENTWISE(sin, sin)
ELEMENTWISE(cos, cos)
ELEMENTWISE(atan, atan)
ELEMENTWISE(erf, erf)
ELEMENTWISE(sqrt, sqrt)
ELEMENTWISE(floor, floor)
ELEMENTWISE(ceil, ceil)
ELEMENTWISE(round, nearbyint)
ELEMENTWISE(trunc, trunc)
INLINE vec vec_rsqrt(vec value) { return R(1.0) / vec_sqrt(value); }

#define ELEMENTWISE2(name, expression)                                                                                 \
    INLINE vec name##_of(vec a, vec b) {                                                                               \
        for (int i = 0; i < WIDTH; i++)                                                                                \
            a[i] = expression;                                                                                         \
        return a;                                                                                                      \
    }
ELEMENTWISE2(pow, LIBM(pow)(a[i], b[i]))
ELEMENTWISE2(fmod, LIBM(fmod)(a[i], b[i]))
// Of the sign of b, exact also where a / b is large.
INLINE real remainder_of_sign(real a, real b) {
    const real rest = LIBM(fmod)(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
ELEMENTWISE2(remainder, remainder_of_sign(a[i], b[i]))
#define vec_pow(a, b) pow_of(VEC(a), VEC(b))
#define vec_fmod(a, b) fmod_of(VEC(a), VEC(b))
#define vec_remainder(a, b) remainder_of(VEC(a), VEC(b))

#if REAL_BITS == 32
// e^x = 2^n · e^r with |r| ≤ ln 2 / 2; e^r by the polynomial of Cephes' expf. Within 2 units in the last place.
INLINE vec exp_of_remainder(vec x, vec n) {
    const vec r = multiply_add(n, splat(2.12194440e-4f), multiply_add(n, splat(-0.693359375f), x));
    const vec r2 = r * r;  // pairs of terms (Estrin), for a short chain of dependent operations
    const vec high = multiply_add(splat(1.9875691500e-4f), r, splat(1.3981999507e-3f));
    const vec middle = multiply_add(splat(8.3334519073e-3f), r, splat(4.1665795894e-2f));
    const vec low = multiply_add(splat(1.6666665459e-1f), r, splat(5.0000001201e-1f));
    return multiply_add(multiply_add(multiply_add(high, r2, middle), r2, low), r2, r + 1.0f);
}

#define LOG2_E 1.44269504088896341f
#define ROUNDING 12582912.0f  // 1.5 · 2^23: added to a number, it leaves the nearest integer in the low bits

// For |x| ≤ 87, beyond that the value at the bound: all that a sigmoid needs.
INLINE vec exp_in_range(vec x) {
    const vec limited = vec_clamp_max(vec_clamp_min(x, splat(-87.0f)), splat(87.0f));
    const vec shifted = multiply_add(limited, splat(LOG2_E), splat(ROUNDING));
    const vec power = (vec)(((mask)shifted << 23) + 0x3f800000);
    return exp_of_remainder(limited, shifted - ROUNDING) * power;
}

// All x: 2^n in two factors, so that subnormal results and the overflow to infinity come out as they should.
INLINE vec vec_exp(vec x) {
    const vec limited = vec_clamp_max(vec_clamp_min(x, splat(-104.0f)), splat(89.0f));
    const vec shifted = multiply_add(limited, splat(LOG2_E), splat(ROUNDING));
    const mask n = (mask)shifted - (mask)splat(ROUNDING), half = n >> 1;
    const vec first = (vec)((half + 127) << 23), second = (vec)((n - half + 127) << 23);
    return exp_of_remainder(limited, shifted - ROUNDING) * first * second;
}

// Near 0 an odd polynomial (Cephes' tanhf), elsewhere by exp(-2|x|).
INLINE vec vec_tanh(vec x) {
    const vec z = x * x, size = vec_abs(x), e = exp_in_range(size * -2.0f);
    vec p = multiply_add(splat(-5.70498872745e-3f), z, splat(2.06390887954e-2f));
    p = multiply_add(p, z, splat(-5.37397155531e-2f));
    p = multiply_add(p, z, splat(1.33314422036e-1f));
    p = multiply_add(p, z, splat(-3.33332819422e-1f));
    const vec large = (1.0f - e) / (1.0f + e);
    return choose_vec(size < 0.625f, p * z * x + x, choose_vec(x < 0.0f, -large, large));
}
INLINE vec vec_sigmoid(vec x) { return 1.0f / (1.0f + exp_in_range(-x)); }
#else
ELEMENTWISE(exp, exp)
ELEMENTWISE(tanh, tanh)
INLINE vec vec_sigmoid(vec x) { return 1.0 / (1.0 + vec_exp(-x)); }
#endif
