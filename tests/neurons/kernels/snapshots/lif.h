#define STATES 1
#define COEFFICIENTS 2
#define SUMS 0
#define KEPT 0
#define BY_CHANNEL 0
static const int granularity[] = {PER_LAYER, PER_LAYER};
static const int sum_granularity[] = {0};

INLINE void step_forward(
    vec x,
    const vec *state,
    const vec *coefficient,
    vec *output,
    vec *new_state) {
    const vec v_x = x;
    const vec v_u = state[0];
    // u = self.charge(u, x)
    const vec v_u_2 = v_u * R(0.5) + v_x;
    // spike = self.spike(u - self.v_th)
    const vec v_spike = truth(v_u_2 - R(1.0) >= R(0.0));
    *output = v_spike;
    new_state[0] = v_u_2 - v_spike * R(1.0);
}

INLINE void step_again(
    vec x,
    const vec *state,
    const vec *coefficient,
    vec *new_state,
    vec *kept) {
    const vec v_x = x;
    const vec v_u = state[0];
    // u = self.charge(u, x)
    const vec v_u_2 = v_u * R(0.5) + v_x;
    // spike = self.spike(u - self.v_th)
    const vec v_spike = truth(v_u_2 - R(1.0) >= R(0.0));
    new_state[0] = v_u_2 - v_spike * R(1.0);
}

INLINE void step_backward(
    vec x,
    const vec *state,
    const vec *coefficient,
    const vec *kept,
    vec grad_output,
    const vec *grad_state,
    vec *grad_x,
    vec *new_grad_state,
    vec *sum) {
    const vec v_x = x;
    const vec v_u = state[0];
    const vec v_mul_surrogate_width = coefficient[0];
    const vec v_div_surrogate_width = coefficient[1];
    const vec v_grad_output = grad_output;
    const vec v_grad_u = grad_state[0];
    // u = self.charge(u, x)
    const vec v_u_2 = v_u * R(0.5) + v_x;
    const vec v_1 = v_grad_u + (v_grad_output + -v_grad_u * R(1.0)) * choose(vec_abs(v_u_2 - R(1.0)) < v_div_surrogate_width, v_mul_surrogate_width, R(0.0));
    *grad_x = v_1;
    new_grad_state[0] = v_1 * R(0.5);
}
