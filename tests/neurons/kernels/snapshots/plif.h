// plif: generated from its step; see neurons/models/.
#define STATES 1  // u
#define COEFFICIENTS 1  // decay
#define KEPT 0  // none
static const int granularity[] = {PER_LAYER};

INLINE void step_forward(
    vec x,
    const vec *state,
    const vec *coefficient,
    vec *output,
    vec *new_state) {
    const vec u = state[0];
    const vec decay = coefficient[0];
    // u = self.charge(u, x)
    const vec u2 = decay * u + x;
    // spike = self.spike(u - self.v_th)
    const vec spike = truth(u2 - R(1.0) >= R(0.0));
    *output = spike;
    new_state[0] = u2 - spike * R(1.0);
}

INLINE void step_again(
    vec x,
    const vec *state,
    const vec *coefficient,
    vec *new_state,
    vec *kept) {
    const vec u = state[0];
    const vec decay = coefficient[0];
    // u = self.charge(u, x)
    const vec u2 = decay * u + x;
    // spike = self.spike(u - self.v_th)
    const vec spike = truth(u2 - R(1.0) >= R(0.0));
    new_state[0] = u2 - spike * R(1.0);
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
    vec *grad_coefficient) {
    const vec u = state[0];
    const vec decay = coefficient[0];
    const vec grad_u = grad_state[0];
    // u = self.charge(u, x)
    const vec u2 = decay * u + x;
    const vec v11 = grad_u + (grad_output + -grad_u * R(1.0)) * (truth(vec_abs(u2 - R(1.0)) < R(0.5)) / R(1.0));
    *grad_x = v11;
    new_grad_state[0] = v11 * decay;
    grad_coefficient[0] = v11 * u;
}
