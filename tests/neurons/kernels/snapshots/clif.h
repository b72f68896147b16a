// clif: generated from its step; see neurons/models/.
#define STATES 2  // u, m
#define COEFFICIENTS 0  // none
#define KEPT 2  // v5, v7
static const int granularity[] = {0};

INLINE void step_forward(
    vec x,
    const vec *state,
    const vec *coefficient,
    vec *output,
    vec *new_state) {
    const vec u = state[0];
    const vec m = state[1];
    // u = self.charge(u, x)
    const vec v2 = u * R(0.5) + x;
    // spike = self.spike(u - self.v_th)
    const vec spike = truth(v2 - R(1.0) >= R(0.0));
    // m = m * torch.sigmoid(u / self.tau) + spike
    const vec m2 = m * vec_sigmoid(v2 / R(2.0)) + spike;
    // u = u - spike * (self.v_th + torch.sigmoid(m))
    const vec u2 = v2 - spike * (vec_sigmoid(m2) + R(1.0));
    *output = spike;
    new_state[0] = u2;
    new_state[1] = m2;
}

INLINE void step_again(
    vec x,
    const vec *state,
    const vec *coefficient,
    vec *new_state,
    vec *kept) {
    const vec u = state[0];
    const vec m = state[1];
    // u = self.charge(u, x)
    const vec v2 = u * R(0.5) + x;
    // spike = self.spike(u - self.v_th)
    const vec spike = truth(v2 - R(1.0) >= R(0.0));
    // m = m * torch.sigmoid(u / self.tau) + spike
    const vec v6 = vec_sigmoid(v2 / R(2.0));
    const vec m2 = m * v6 + spike;
    // u = u - spike * (self.v_th + torch.sigmoid(m))
    const vec v8 = vec_sigmoid(m2);
    const vec u2 = v2 - spike * (v8 + R(1.0));
    new_state[0] = u2;
    new_state[1] = m2;
    kept[0] = v6;
    kept[1] = v8;
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
    const vec m = state[1];
    const vec v5 = kept[0];
    const vec v7 = kept[1];
    const vec grad_u = grad_state[0];
    const vec grad_m = grad_state[1];
    // u = self.charge(u, x)
    const vec u2 = u * R(0.5) + x;
    // spike = self.spike(u - self.v_th)
    const vec v2 = u2 - R(1.0);
    const vec spike = truth(v2 >= R(0.0));
    const vec v9 = -grad_u;
    const vec v16 = grad_m + v9 * spike * (v7 * (R(1.0) - v7));
    const vec v30 = grad_u + v16 * m * (v5 * (R(1.0) - v5)) / R(2.0) + (grad_output + v9 * (v7 + R(1.0)) + v16) * (truth(vec_abs(v2) < R(0.5)) / R(1.0));
    *grad_x = v30;
    new_grad_state[0] = v30 * R(0.5);
    new_grad_state[1] = v16 * v5;
}
